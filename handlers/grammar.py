"""What people type after ``/vsearch``: text to a typed command. Pure."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field

from bot.errors import InvalidInput
from bot.models import DatabaseName
from bot.services.search import DEFAULT_LIMIT, DEFAULT_MINIMUM, TOP_SCORE

MOST_TOP = 50

SEARCH_FORM = "`/vsearch search <image URL>`, with `in:`, `top:` and `min:` if you like"

# Phones type these for plain ones.
_PLAIN = str.maketrans({"“": '"', "”": '"', "„": '"', "‟": '"', "‘": "'", "’": "'", "：": ":"})
_TOKEN = re.compile(r'(?:"[^"]*"|<[^<>]*>|[^\s"])+')
_LINK = re.compile(r"<(https?://[^|<>]*)(?:\|[^<>]*)?>", re.IGNORECASE)
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_OPTION = re.compile(r"(?:--|[—–])([a-z]+)(?:[=:](.*))?", re.IGNORECASE | re.DOTALL)
_MODIFIER = re.compile(r"([a-z]+):(.*)", re.IGNORECASE | re.DOTALL)

MODIFIERS = ("in", "top", "min")
VERBS = ("search", "db", "help")


@dataclass(frozen=True, slots=True)
class Search:
    """Look up the image at an address. ``database``: None for the only one."""

    url: str
    database: DatabaseName | None = None
    limit: int = DEFAULT_LIMIT
    minimum: float = DEFAULT_MINIMUM


@dataclass(frozen=True, slots=True)
class ListDatabases:
    """Name the databases and their sizes."""


@dataclass(frozen=True, slots=True)
class Help:
    """Explain what there is; ``problem`` says first what was not understood."""

    problem: str = ""


Command = Search | ListDatabases | Help


@dataclass(slots=True)
class _Words:
    """A command taken apart: plain words, addresses, modifiers by name."""

    words: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    modifiers: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Command:
    """Understand a command. Raises InvalidInput with the right form for one that is nearly right."""
    words = _take_apart(text)
    if not words.words:
        if words.urls or words.modifiers:
            return _search(words)
        return Help()
    verb, *rest = words.words
    verb = verb.lower()
    if verb == "search":
        words.words = rest
        return _search(words)
    if verb == "db" and not rest and not words.urls:
        return ListDatabases()
    if verb == "help":
        return Help()
    return Help(_not_understood(verb, rest))


def _not_understood(verb: str, rest: list[str]) -> str:
    if verb == "db":
        return f"“db {quote(rest[0])}” isn't something I can do here." if rest else "“db” takes no address."
    if "." in verb and "/" in verb:
        return f"Did you mean an address? Put https:// before “{quote(verb)}”."
    if near := difflib.get_close_matches(verb, VERBS, n=1):
        return f"I don't know “{quote(verb)}”. Did you mean `/vsearch {near[0]}`?"
    return f"I don't know “{quote(verb)}”."


def _search(words: _Words) -> Search:
    if words.words:
        raise InvalidInput(
            f"I can't look up “{quote(words.words[0])}”: give the address of an image, such as {SEARCH_FORM}."
        )
    if len(words.urls) != 1:
        much = "no address" if not words.urls else "more than one address"
        raise InvalidInput(f"There is {much} to look up. Write {SEARCH_FORM}.")
    given = words.modifiers
    return Search(
        words.urls[0],
        _database(given["in"]) if "in" in given else None,
        _top(given["top"]) if "top" in given else DEFAULT_LIMIT,
        _minimum(given["min"]) if "min" in given else DEFAULT_MINIMUM,
    )


def _database(value: str) -> DatabaseName:
    # Phones begin words with a capital, and some people type the brackets of the help text.
    return DatabaseName(value.strip("<>`'").lower())


def _top(value: str) -> int:
    if re.fullmatch(r"[0-9]{1,4}", value) and 1 <= int(value) <= MOST_TOP:
        return int(value)
    raise InvalidInput(f"`top:` takes a whole number from 1 to {MOST_TOP}, such as `top:5`.")


def _minimum(value: str) -> float:
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        number = math.nan
    if not 0 <= number <= TOP_SCORE:
        raise InvalidInput("`min:` takes a score from 0 to 10, such as `min:7.5`.")
    return number


def _take_apart(text: str) -> _Words:
    plain = text.translate(_PLAIN)
    if plain.count('"') % 2:
        raise InvalidInput("A quote isn't closed: put `\"` on both sides of the text.")
    found = _Words()
    tokens = iter(_TOKEN.findall(plain))
    for token in tokens:
        if link := _LINK.fullmatch(bare := token.strip("\"'")):
            found.urls.append(unescape(link[1]))
            continue
        word = unescape(token)
        if _URL.fullmatch(address := unescape(bare)):
            found.urls.append(address)
        elif "://" in word:
            raise InvalidInput("The address of an image begins with `https://` or `http://`: check it and try again.")
        elif option := _OPTION.fullmatch(word):
            value = option[2] if option[2] is not None else next(tokens, "")
            found.modifiers[_modifier(option[1])] = _unquote(unescape(value))
        elif modifier := _MODIFIER.fullmatch(word):
            value = modifier[2] or next(tokens, "")
            found.modifiers[_modifier(modifier[1])] = _unquote(unescape(value))
        else:
            found.words.append(_unquote(word))
    return found


def _modifier(name: str) -> str:
    name = name.lower()
    if name in MODIFIERS:
        return name
    near = difflib.get_close_matches(name, MODIFIERS, n=1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}:`?" if near else " A search takes `in:`, `top:` and `min:`."
    raise InvalidInput(f"I don't know `{quote(name)}:`.{hint}")


def _unquote(value: str) -> str:
    return value.replace('"', "")


def unescape(text: str) -> str:
    """Undo Slack's escapes, which are these three and no other: ``&copy=1`` in an address is not ©."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def quote(text: str) -> str:
    """What somebody typed, short enough to be repeated to them."""
    most = 40
    return text if len(text) <= most else text[: most - 1] + "…"
