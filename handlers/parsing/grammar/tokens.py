"""Text taken apart into words, addresses and modifiers, whatever keyboard it was typed on. Never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MODIFIERS = ("in", "top", "min", "id", "note", "order", "prefix")

# Copied along with text from web pages, and seen by nobody.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))

# Slack writes what it recognised as <target> or <target|what was typed>; a < that somebody typed comes escaped.
_ANGLED = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_BARE = re.compile(r"(?:<[^<>]*>|\S)+")
_GAP = re.compile(r"\s+")
# People copy commands from the help text with the backticks that set them apart there.
_SKIPPED = re.compile(r"[\s`]*")
_MODIFIER = re.compile(r"([A-Za-z]+)[:：﹕](?!//)")
# Phones turn -- into one long dash.
_OPTION = re.compile(r"(?:--|[—–―‒−])([A-Za-z]+)(?:[=＝:：﹕]|(?=\s)|\Z)")

# What closes a quote, by what opens it, the likeliest first: phones, Macs and languages differ. The single ones are
# apostrophes too, so they close only at the end of a word.
_DOUBLE = {
    opening: tuple(re.compile(f"[{closing}]") for closing in closings)
    for opening, closings in {
        '"': ('"', "”“"),
        "“": ("”", '"“'),
        "”": ("”", '"'),
        "„": ("“”", '"'),
        "‟": ("”", '"'),
        "«": ("»", '"'),
        "»": ("«»", '"'),
        "‹": ("›", '"'),
        "›": ("‹›", '"'),
        "＂": ("＂", '"'),
    }.items()
}
_SINGLE = {
    opening: (re.compile(rf"[{closing}](?=\s|\Z)"),)
    for opening, closing in {"'": "'’", "‘": "’'", "’": "’'", "‚": "‘’'", "`": "`"}.items()
}
_QUOTES = _DOUBLE | _SINGLE


@dataclass(frozen=True, slots=True)
class Token:
    """A word, an address or a modifier. ``name`` is the modifier's, in small letters; empty for the others.

    ``is_attached``: the value stands right after the colon. ``is_unclosed``: a quote begins here and never ends.
    """

    text: str
    name: str = ""
    is_address: bool = False
    is_attached: bool = False
    is_unclosed: bool = False


def tokenise(text: str) -> tuple[Token, ...]:
    """The pieces in their order."""
    return tuple(_Tokeniser(text.translate(_INVISIBLE)).tokens())


class _Tokeniser:
    """Goes through a text once, whatever is in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._absent: set[re.Pattern[str]] = set()

    def tokens(self) -> Iterator[Token]:
        while self._take(_SKIPPED) and self._at < len(self._text):
            yield self._token()

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _token(self) -> Token:
        if angled := self._take(_ANGLED):
            return _of_angled(angled)
        if head := self._take(_MODIFIER) or self._take(_OPTION):
            return self._modifier(head[1].lower(), has_colon=not head[0][-1].isalpha())
        if (quoted := self._quoted()) is not None:
            return _of_quoted(quoted)
        if self._text[self._at] in _DOUBLE:
            self._at += 1
            return Token(self._bare(), is_unclosed=True)
        return _of_plain(self._bare())

    def _modifier(self, name: str, *, has_colon: bool) -> Token:
        gap = self._take(_GAP) if name in MODIFIERS else _GAP.match(self._text, self._at)
        attached = has_colon and gap is None and self._at < len(self._text)
        if gap and (name not in MODIFIERS or self._is_at_modifier()):
            return Token("", name)
        if (quoted := self._quoted()) is not None:
            return Token(as_typed(quoted).strip(), name, is_attached=attached)
        unclosed = self._text[self._at : self._at + 1] in _DOUBLE
        self._at += unclosed
        return Token(as_typed(self._bare()), name, is_attached=attached, is_unclosed=unclosed)

    def _is_at_modifier(self) -> bool:
        return any(pattern.match(self._text, self._at) for pattern in (_MODIFIER, _OPTION))

    def _bare(self) -> str:
        found = self._take(_BARE)
        return found[0].strip("`") if found else ""

    def _quoted(self) -> str | None:
        """What stands in quotes here."""
        for closing in _QUOTES.get(self._text[self._at : self._at + 1], ()):
            # What is not found from here on is not found further on: without this, thousands of quotes take minutes.
            if closing in self._absent:
                continue
            if end := closing.search(self._text, self._at + 1):
                inner = self._text[self._at + 1 : end.start()]
                self._at = end.end()
                return inner
            self._absent.add(closing)
        return None


def _of_angled(angled: re.Match[str]) -> Token:
    if _ADDRESS.fullmatch(target := unescape(angled[1])):
        return Token(target, is_address=True)
    return Token(as_typed(angled[0]))


def _of_quoted(inner: str) -> Token:
    inner = inner.strip()
    if angled := _ANGLED.fullmatch(inner):
        return _of_angled(angled)
    if head := _MODIFIER.match(inner):
        return Token(as_typed(inner[head.end() :]).strip(), head[1].lower())
    return _of_plain(inner)


def _of_plain(raw: str) -> Token:
    word = as_typed(raw)
    # Some people type the brackets of the help text.
    if _ADDRESS.fullmatch(address := word.strip("<>")):
        return Token(address, is_address=True)
    return Token(word)


def as_typed(text: str) -> str:
    """What was typed, before Slack recognised addresses and names in it and escaped the rest."""
    return unescape(_ANGLED.sub(lambda found: found[2] or found[1], text))


def unescape(text: str) -> str:
    """Undo Slack's escapes, which are these three and no other: ``&copy=1`` in an address is not ©."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def quote_back(text: str) -> str:
    """What somebody typed, on one line and short enough to be repeated to them."""
    most = 40
    line = " ".join(text[: most * 4].split())
    return line if len(line) <= most else line[: most - 1] + "…"
