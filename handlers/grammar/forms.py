"""How each verb is written, and the sentences that say so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handlers.grammar.words import MODIFIERS, quote

_MEANT = {
    "database": "in",
    "db": "in",
    "from": "in",
    "limit": "top",
    "count": "top",
    "score": "min",
    "entity": "id",
    "sku": "id",
    "text": "note",
    "sort": "order",
}
"""Names that are no modifiers, and what whoever types them is after."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a verb is written, the modifiers that it takes, and those of them that are offered beyond ``usage``."""

    usage: str
    takes: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


FORMS = {
    "search": Form("/vsearch search <image URL or last>", ("in", "top", "min"), ("in", "top", "min")),
    "add": Form("/vsearch add <image URL or last> in:<database>", ("in", "id", "note"), ("id", "note")),
    "list": Form("/vsearch list in:<database>", ("in", "prefix", "order"), ("prefix", "order")),
    "delete": Form("/vsearch delete <entity> in:<database>", ("in", "id")),
    "db": Form("/vsearch db"),
    "db create": Form("/vsearch db create <name>"),
    "db delete": Form("/vsearch db delete <name>"),
    "watch": Form("/vsearch watch guard in:<database>", ("in", "min"), ("min",)),
    "unwatch": Form("/vsearch unwatch"),
    "status": Form("/vsearch status"),
}


def form(verb: str) -> str:
    """How to write it."""
    known = FORMS[verb]
    further = f", with {_names(known.further)} if you like" if known.further else ""
    return f"`{known.usage}`{further}"


def not_taken(verb: str, name: str) -> str:
    """The sentence about a modifier that the verb does not take, or that there isn't at all."""
    takes = FORMS[verb].takes
    if name in MODIFIERS:
        right = f"it takes {_names(takes)}" if takes else f"write `{FORMS[verb].usage}` alone"
        return f"`{verb}` doesn't take `{name}:`; {right}."
    meant = _MEANT.get(name) or near(name, takes, cutoff=0.5)
    if meant in takes:
        return f"I don't know `{quote(name)}:`. Did you mean `{meant}:`?"
    return f"I don't know `{quote(name)}:`; `{verb}` takes {_names(takes) if takes else 'no modifiers'}."


def listed(parts: Iterable[str]) -> str:
    """Several as a sentence lists them."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def near(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """The one that was probably meant, or nothing."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=cutoff)), "")


def is_like_an_address(word: str) -> bool:
    """Whether only the scheme is missing."""
    return "." in word and "/" in word


def _names(modifiers: Iterable[str]) -> str:
    return listed(f"`{name}:`" for name in modifiers)
