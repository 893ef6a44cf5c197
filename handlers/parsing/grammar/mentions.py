"""Parse messages that ask the bot directly: modifiers beside an image, and the command after a mention."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.blocks.wording.commands import UNCLOSED_QUOTE
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseName, EntityId, Note
from handlers.parsing.grammar import values
from handlers.parsing.grammar.tokens import tokenise, visible

_MENTION = re.compile(r"\s*<@([A-Za-z0-9]+)(?:\|[^<>]*)?>[\s:,]*")

BESIDE_IMAGE = frozenset({"in", "top", "min", "id", "note"})
"""Modifiers that the text beside a shared image may have."""


@dataclass(frozen=True, slots=True)
class Modifiers:
    """The modifiers in a message. None stands for an absent modifier."""

    database: DatabaseName | None = None
    limit: int | None = None
    minimum: float | None = None
    entity: EntityId | None = None
    note: Note | None = None


def modifiers_of(text: str) -> Modifiers:
    """Return the modifiers in a message to the bot, and ignore its other text. Raises InvalidInput for invalid values.

    The value must follow the colon directly: “found this in: the yard” names no database.
    """
    given: dict[str, str] = {}
    shown = visible(text)
    for token in tokenise(text):
        if token.name not in BESIDE_IMAGE or not token.is_attached:
            continue
        if token.is_unclosed:
            raise values.refused_entity(token, shown) or InvalidInput(UNCLOSED_QUOTE)
        given.setdefault(token.name, values.as_written(token))
    return Modifiers(
        values.database_or_all(given["in"]) if "in" in given else None,
        values.top(given["top"]) if "top" in given else None,
        values.minimum(given["min"]) if "min" in given else None,
        values.new_entity(given["id"]) if "id" in given else None,
        values.note(given["note"]) if "note" in given else None,
    )


def mention_command(text: str, bot_user: str) -> str:
    """Return the text without a leading mention of ``bot_user``, or of anyone if ``bot_user`` is empty."""
    found = _MENTION.match(text)
    return text[found.end() if found and bot_user in {"", found[1]} else 0 :].strip()
