"""Parse captions: the text beside an image in a watched channel, which is for people and only sometimes for the bot."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.errors import EntityRefused, InvalidInput
from bot.domain.identifiers import MAX_NOTE, DatabaseName, Note
from handlers.parsing.grammar import values
from handlers.parsing.grammar.mentions import BESIDE_IMAGE, Modifiers
from handlers.parsing.grammar.tokens import Token, as_typed, tokenise, visible

_LABELLED = re.compile(r"<([#@!])[^<>|]*\|([^<>]*)>")
_MENTION = re.compile(r"<[@#!][^<>]*>")
_GAP = re.compile(r"\s*")
_BLANK = re.compile(r"[^\S\n]")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNSTORED = frozenset({"Cc", "Cs"})


@dataclass(frozen=True, slots=True)
class Caption:
    """The modifiers of a caption, and its other text.

    ``text`` is as people read it, without mentions. ``refused``: an ``id:`` that can't be used, if there is no other
    and a similar id can be suggested.
    """

    modifiers: Modifiers
    text: str
    refused: EntityRefused | None = None

    @property
    def note(self) -> Note:
        """The note that the caption gives an image: the one of ``note:``, or the text as far as a note holds it."""
        if self.modifiers.note is not None:
            return self.modifiers.note
        return Note(self.text if len(self.text) <= MAX_NOTE else f"{self.text[: MAX_NOTE - 1].rstrip()}…")


def parse_caption(text: str, databases: Collection[DatabaseName]) -> Caption:
    """Parse the text beside an image in a watched channel. Never raises: what isn't a valid modifier is prose.

    Args:
        text: The message's text.
        databases: The databases that ``in:`` may name here. Any other name is prose.

    The first valid value of each modifier counts. A note must be in quotes, or its end would be unknown.
    """
    shown, tokens = visible(text), tokenise(text)
    modifiers, kept, end = Modifiers(), [], 0
    for token in tokens:
        if (found := _read(token, databases)) is None or getattr(modifiers, _FIELDS[token.name]) is not None:
            continue
        modifiers = replace(modifiers, **found)
        kept.append(shown[end : token.start])
        gap = _GAP.match(shown, token.end)
        end = gap.end() if gap else token.end
    # Only the first, so that a text full of them takes no longer.
    ids = (token for token in tokens if token.name == "id" and token.is_attached and modifiers.entity is None)
    refused = next((values.refused_entity(token, shown) for token in ids), None)
    return Caption(modifiers, _as_read("".join([*kept, shown[end:]])), refused)


def _read(token: Token, databases: Collection[DatabaseName]) -> Mapping[str, Any] | None:
    if token.name not in BESIDE_IMAGE or not token.is_attached or token.is_unclosed:
        return None
    if token.name == "note" and not token.is_quoted:
        return None
    try:
        value = _VALUES[token.name](values.as_written(token))
    except InvalidInput:
        return None
    return None if token.name == "in" and value not in databases else {_FIELDS[token.name]: value}


def _as_read(text: str) -> str:
    """Return the text as people read it, without mentions that have no label and characters that can't be stored."""
    plain = as_typed(_MENTION.sub("", _LABELLED.sub(_label, text)))
    plain = _DIRECTION.sub("", _BLANK.sub(" ", plain.replace("\r\n", "\n")))
    return "".join(one for one in plain if one == "\n" or unicodedata.category(one) not in _UNSTORED).strip()


def _label(found: re.Match[str]) -> str:
    """Return ``#general`` for a channel, ``@ada`` for a user, and the text of a date or a group."""
    sign = "" if found[1] == "!" or found[2].startswith(found[1]) else found[1]
    return f"{sign}{found[2]}"


_FIELDS = {"in": "database", "top": "limit", "min": "minimum", "id": "entity", "note": "note"}
_VALUES: Mapping[str, Callable[[str], object]] = {
    "in": values.database_or_all,
    "top": values.top,
    "min": values.minimum,
    "id": values.entity,
    "note": values.note,
}
