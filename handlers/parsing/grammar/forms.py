"""The modifiers of each verb, and suggestions for misspelt ones."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks.wording import commands as wording
from handlers.parsing.grammar.tokens import MODIFIERS, quote_back
from handlers.parsing.watch_rules import EDITORS, RULES

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
    """The modifiers that a verb takes, and those that its usage mentions as optional."""

    modifiers: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


USAGES = {
    "search": VerbUsage(("in", "top", "min"), ("in", "top", "min")),
    "find": VerbUsage(("in", "top"), ("in", "top")),
    "add": VerbUsage(("in", "id", "note"), ("id", "note")),
    "list": VerbUsage(("in", "prefix", "order"), ("prefix", "order")),
    "delete": VerbUsage(("in", "id")),
    "rename": VerbUsage(("in", "id")),
    "note": VerbUsage(("in", "id", "note")),
    "export": VerbUsage(("in",)),
    "report": VerbUsage(("in",)),
    "db": VerbUsage(),
    "db create": VerbUsage(),
    "db delete": VerbUsage(),
    "db link": VerbUsage(),
    "watch": VerbUsage(("in", "min", *RULES, EDITORS), ("min", *RULES)),
    "unwatch": VerbUsage(),
    "import": VerbUsage(("in", "since"), ("since", "in")),
    "status": VerbUsage(),
}


def usage_of(verb: str) -> str:
    """Return how to write a verb."""
    return wording.usage(verb, USAGES[verb].optional)


def modifier_refused(verb: str, name: str) -> str:
    """Return the sentence about a modifier that the verb does not take or that does not exist."""
    taken = USAGES[verb].modifiers
    if name in MODIFIERS:
        return wording.modifier_not_taken(verb, name, taken)
    meant = _SYNONYMS.get(name) or closest(name, taken, cutoff=0.5)
    if meant in taken:
        return wording.modifier_meant(quote_back(name), meant)
    return wording.modifier_unknown(verb, quote_back(name), taken)


def closest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """Return the most similar known word, or an empty string."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=cutoff)), "")


def looks_like_url(word: str) -> bool:
    """Return whether the word looks like a URL without a scheme."""
    return "." in word and "/" in word
