"""How each verb is written, and the sentences that say so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handlers.parsing.grammar.tokens import MODIFIERS, quote_back

_SYNONYMS = {
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
class VerbUsage:
    """How a verb is written, the modifiers that it takes, and those of them that are offered beyond ``usage``."""

    usage: str
    modifiers: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


USAGES = {
    "search": VerbUsage("/vsearch search <image URL or last>", ("in", "top", "min"), ("in", "top", "min")),
    "add": VerbUsage("/vsearch add <image URL or last> in:<database>", ("in", "id", "note"), ("id", "note")),
    "list": VerbUsage("/vsearch list in:<database>", ("in", "prefix", "order"), ("prefix", "order")),
    "delete": VerbUsage("/vsearch delete <entity> in:<database>", ("in", "id")),
    "db": VerbUsage("/vsearch db"),
    "db create": VerbUsage("/vsearch db create <name>"),
    "db delete": VerbUsage("/vsearch db delete <name>"),
    "watch": VerbUsage("/vsearch watch guard in:<database>", ("in", "min"), ("min",)),
    "unwatch": VerbUsage("/vsearch unwatch"),
    "status": VerbUsage("/vsearch status"),
}


def usage_of(verb: str) -> str:
    """How to write it."""
    known = USAGES[verb]
    further = f", with {_names(known.optional)} if you like" if known.optional else ""
    return f"`{known.usage}`{further}"


def modifier_refused(verb: str, name: str) -> str:
    """The sentence about a modifier that the verb does not take, or that there isn't at all."""
    takes = USAGES[verb].modifiers
    if name in MODIFIERS:
        right = f"it takes {_names(takes)}" if takes else f"write `{USAGES[verb].usage}` alone"
        return f"`{verb}` doesn't take `{name}:`; {right}."
    meant = _SYNONYMS.get(name) or closest(name, takes, cutoff=0.5)
    if meant in takes:
        return f"I don't know `{quote_back(name)}:`. Did you mean `{meant}:`?"
    return f"I don't know `{quote_back(name)}:`; `{verb}` takes {_names(takes) if takes else 'no modifiers'}."


def join_words(parts: Iterable[str]) -> str:
    """Several as a sentence lists them."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def closest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """The one that was probably meant, or nothing."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=cutoff)), "")


def is_like_an_address(word: str) -> bool:
    """Whether only the scheme is missing."""
    return "." in word and "/" in word


def _names(modifiers: Iterable[str]) -> str:
    return join_words(f"`{name}:`" for name in modifiers)
