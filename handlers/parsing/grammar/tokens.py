"""Tokenise text into words, URLs and modifiers, with the quotes and dashes of any keyboard. Never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

MODIFIERS = (
    "in",
    "top",
    "min",
    "id",
    "note",
    "order",
    "prefix",
    "window",
    "own",
    "report",
    "allow",
    "quiet",
    "editors",
)

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))

# Slack writes links and mentions as <target> or <target|typed text>. It escapes a < that somebody typed.
_ANGLED = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_BARE = re.compile(r"(?:<[^<>]*>|\S)+")
_GAP = re.compile(r"\s+")
# People copy commands from the help text together with the backticks around them.
_SKIPPED = re.compile(r"[\s`]*")
_MODIFIER = re.compile(r"([A-Za-z]+)[:：﹕](?!//)")
# Phones replace -- with a dash.
_OPTION = re.compile(r"(?:--|[—–―‒−])([A-Za-z]+)(?:[=＝:：﹕]|(?=\s)|\Z)")

# Closing quotes by opening quote, most likely first: phones, Macs and languages differ. Single quotes are also
# apostrophes, so they close only at the end of a word.
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
_DOUBLED = re.compile('""')


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a URL or a modifier.

    Attributes:
        text: The word, URL or value.
        name: The modifier's name in lower case, or empty.
        is_address: The token is a URL.
        is_attached: The value directly follows the colon.
        is_unclosed: The token begins with a quote that is never closed.
        is_quoted: The word or the value of a modifier is in quotes.
        written: What the quotes of a word hold, even if it looks like a modifier or a URL.
        raw: The value of a modifier with Slack's mentions, such as ``<@U123|ada>``.
        host: What somebody typed, if Slack made a link of a bare host name such as ``part.de``.
        start: Where the token starts in the text that ``visible`` returns. Positions don't count in comparisons.
        end: Where it ends.
    """

    text: str
    name: str = ""
    is_address: bool = False
    is_attached: bool = False
    is_unclosed: bool = False
    is_quoted: bool = field(default=False, compare=False)
    written: str = field(default="", compare=False)
    raw: str = field(default="", compare=False)
    host: str = field(default="", compare=False)
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def is_quoted_word(self) -> bool:
        """Whether the whole token is in quotes, and not just the value of a modifier."""
        return self.is_quoted and bool(self.written or not self.name)

    @property
    def is_operand(self) -> bool:
        """Whether this is a word, or anything else that is in quotes as a whole."""
        return self.is_quoted_word or self.is_address or not self.name


def visible(text: str) -> str:
    """Remove invisible characters that come along with text copied from web pages."""
    return text.translate(_INVISIBLE)


def tokenise(text: str) -> tuple[Token, ...]:
    """Return the tokens in order."""
    return tuple(_Tokeniser(visible(text)).tokens())


class _Tokeniser:
    """Scans a text once, in linear time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._absent: set[re.Pattern[str]] = set()

    def tokens(self) -> Iterator[Token]:
        while self._match(_SKIPPED) and self._position < len(self._text):
            start = self._position
            yield replace(self._token(), start=start, end=self._position)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._position)
        if found:
            self._position = found.end()
        return found

    def _token(self) -> Token:
        if link := self._match(_ANGLED):
            return _token_of_link(link)
        if head := self._match(_MODIFIER) or self._match(_OPTION):
            return self._modifier(head[1].lower(), has_colon=not head[0][-1].isalpha())
        if (quoted := self._quoted()) is not None:
            return _token_of_quoted(quoted)
        if self._text[self._position] in _DOUBLE:
            self._position += 1
            return Token(self._bare(), is_unclosed=True)
        return _token_of_word(self._bare())

    def _modifier(self, name: str, *, has_colon: bool) -> Token:
        gap = self._match(_GAP) if name in MODIFIERS else _GAP.match(self._text, self._position)
        attached = has_colon and gap is None and self._position < len(self._text)
        if gap and (name not in MODIFIERS or self._is_at_modifier()):
            return Token("", name)
        if (quoted := self._quoted()) is not None:
            return Token(as_typed(quoted).strip(), name, is_attached=attached, is_quoted=True)
        unclosed = self._text[self._position : self._position + 1] in _DOUBLE
        self._position += unclosed
        bare = self._bare()
        return Token(as_typed(bare), name, is_attached=attached, is_unclosed=unclosed, raw=bare)

    def _is_at_modifier(self) -> bool:
        return any(pattern.match(self._text, self._position) for pattern in (_MODIFIER, _OPTION))

    def _bare(self) -> str:
        found = self._match(_BARE)
        return found[0].strip("`") if found else ""

    def _quoted(self) -> str | None:
        """Take the quoted text at the current position, or return None."""
        if self._text.startswith('"', self._position) and (straight := self._straight()) is not None:
            return straight
        for closing in _QUOTES.get(self._text[self._position : self._position + 1], ()):
            # Remember closing quotes that don't occur any more. Otherwise thousands of quotes would take minutes.
            if closing in self._absent:
                continue
            if end := closing.search(self._text, self._position + 1):
                inner = self._text[self._position + 1 : end.start()]
                self._position = end.end()
                return inner
            self._absent.add(closing)
        return None

    def _straight(self) -> str | None:
        """Take text in straight quotes, in which two of them stand for one, or return None."""
        end = self._position + 1
        while _DOUBLED not in self._absent and (end := self._text.find('"', end)) >= 0:
            if self._text.startswith('""', end):
                end += 2
                continue
            inner = self._text[self._position + 1 : end].replace('""', '"')
            self._position = end + 1
            return inner
        # As for other closing quotes: look for them once.
        self._absent.add(_DOUBLED)
        return None


def quoted(text: str) -> str:
    """Return text in quotes, so that a command takes it as one word or value, whatever is in it."""
    return '"' + text.replace('"', '""') + '"'


def _token_of_link(link: re.Match[str]) -> Token:
    if _ADDRESS.fullmatch(target := unescape(link[1])):
        typed = unescape(link[2] or "")
        is_host = target.lower().partition("://")[2].removesuffix("/") == typed.lower() and "/" not in typed
        return Token(target, is_address=True, host=typed if is_host else "")
    return Token(as_typed(link[0]))


def _token_of_quoted(inner: str) -> Token:
    inner = inner.strip()
    if link := _ANGLED.fullmatch(inner):
        token = _token_of_link(link)
    elif head := _MODIFIER.match(inner):
        token = Token(as_typed(inner[head.end() :]).strip(), head[1].lower())
    else:
        token = _token_of_word(inner)
    return replace(token, is_quoted=True, written=as_typed(inner))


def _token_of_word(raw: str) -> Token:
    word = as_typed(raw)
    # Some people type the angle brackets of the help text.
    if _ADDRESS.fullmatch(address := word.strip("<>")):
        return Token(address, is_address=True)
    return Token(word)


def as_typed(text: str) -> str:
    """Undo Slack's formatting: replace links and mentions by their text, and unescape the rest."""
    return unescape(_ANGLED.sub(lambda found: found[2] or found[1], text))


def unescape(text: str) -> str:
    """Undo Slack's three escapes. Other entities are not escapes: ``&copy=1`` in a URL isn't ©."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def quote_back(text: str) -> str:
    """Return typed text on one line of up to 40 characters, to quote it in an error message."""
    max_length = 40
    line = " ".join(text[: max_length * 4].split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"
