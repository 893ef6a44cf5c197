"""What stands beside images and mentions: prose, in which a few modifiers may be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.blocks.wording.commands import UNCLOSED_QUOTE
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseName, EntityId, Note
from handlers.parsing.grammar import values
from handlers.parsing.grammar.tokens import tokenise

_MENTION = re.compile(r"\s*<@([A-Za-z0-9]+)(?:\|[^<>]*)?>[\s:,]*")


@dataclass(frozen=True, slots=True)
class Modifiers:
    """What a message says about its images; None where it says nothing."""

    database: DatabaseName | None = None
    limit: int | None = None
    minimum: float | None = None
    entity: EntityId | None = None
    note: Note | None = None


def modifiers_of(text: str) -> Modifiers:
    """The modifiers in a message; all else in it is left alone. Raises InvalidInput for an impossible value.

    A value stands right after its colon here: “found this in: the yard” names no database.
    """
    given: dict[str, str] = {}
    for token in tokenise(text):
        if token.name not in {"in", "top", "min", "id", "note"} or not token.is_attached:
            continue
        if token.is_unclosed:
            raise InvalidInput(UNCLOSED_QUOTE)
        given.setdefault(token.name, token.text)
    return Modifiers(
        values.database(given["in"]) if "in" in given else None,
        values.top(given["top"]) if "top" in given else None,
        values.minimum(given["min"]) if "min" in given else None,
        values.entity(given["id"]) if "id" in given else None,
        values.note(given["note"]) if "note" in given else None,
    )


def mention_command(text: str, bot_user: str) -> str:
    """A mention's text without the mention that it begins with (with no ``bot_user``, whoever is mentioned)."""
    found = _MENTION.match(text)
    return text[found.end() if found and bot_user in {"", found[1]} else 0 :].strip()
