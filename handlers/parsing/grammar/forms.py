"""The usage of each verb, and error messages that quote it."""

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
"""Words that people write instead of a modifier, and the modifier to suggest."""


@dataclass(frozen=True, slots=True)
class VerbUsage:
    """The usage of a verb.

    ``modifiers`` are all modifiers that it takes, ``optional`` those that help texts mention in addition to ``usage``.
    """

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
    """Return the usage of a verb as a phrase."""
    known = USAGES[verb]
    further = f", with {_names(known.optional)} if you like" if known.optional else ""
    return f"`{known.usage}`{further}"


def modifier_refused(verb: str, name: str) -> str:
    """Return the error for a modifier that is unknown or that the verb doesn't take."""
    takes = USAGES[verb].modifiers
    if name in MODIFIERS:
        right = f"it takes {_names(takes)}" if takes else f"write `{USAGES[verb].usage}` alone"
        return f"`{verb}` doesn't take `{name}:`; {right}."
    meant = _SYNONYMS.get(name) or closest(name, takes, cutoff=0.5)
    if meant in takes:
        return f"I don't know `{quote_back(name)}:`. Did you mean `{meant}:`?"
    return f"I don't know `{quote_back(name)}:`; `{verb}` takes {_names(takes) if takes else 'no modifiers'}."


def join_words(parts: Iterable[str]) -> str:
    """Join words as in a sentence: "a, b and c"."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def closest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """Return the most similar known word, or an empty string."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=cutoff)), "")


def looks_like_url(word: str) -> bool:
    """Return whether the word looks like a URL without a scheme."""
    return "." in word and "/" in word


def _names(modifiers: Iterable[str]) -> str:
    return join_words(f"`{name}:`" for name in modifiers)
