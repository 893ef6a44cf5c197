"""Parse the values of modifiers. An invalid value raises InvalidInput with the right form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from bot.blocks.wording import commands as wording
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseName, EntityId, Note
from bot.domain.pages import Order, PageRequest
from bot.services.search.search import TOP_SCORE

MAX_TOP = 50

_SCORE = re.compile(r"[0-9]{0,3}(?:[.,][0-9]{0,6})?")
_SURROUNDING = " <>`'‘’\"“”,;."
"""Characters to strip: brackets of the help text, left-over quotes, and punctuation."""

NameType = TypeVar("NameType", DatabaseName, EntityId)


def database(value: str) -> DatabaseName:
    """Parse the name of a database."""
    return _name(DatabaseName, value)


def entity(value: str) -> EntityId:
    """Parse an entity id."""
    return _name(EntityId, value)


def note(value: str) -> Note:
    """Parse a note."""
    return Note(value)


def top(value: str) -> int:
    """Parse the maximum number of results."""
    digits = value.strip(_SURROUNDING)
    if re.fullmatch(r"[0-9]{1,4}", digits) and 1 <= int(digits) <= MAX_TOP:
        return int(digits)
    raise InvalidInput(wording.top_invalid(MAX_TOP))


def minimum(value: str) -> float:
    """Parse a minimum score. Accept “7.5/10”, because answers show scores that way."""
    digits = value.strip(_SURROUNDING).removesuffix("/10").strip(_SURROUNDING)
    if re.search(r"[0-9]", digits) and _SCORE.fullmatch(digits):
        score = float(digits.replace(",", "."))
        if score <= TOP_SCORE:
            return score
    raise InvalidInput(wording.MINIMUM_INVALID)


def order(value: str) -> Order:
    """Parse the order of a listing."""
    try:
        return Order(value.strip(_SURROUNDING).lower())
    except ValueError:
        raise InvalidInput(wording.ORDER_INVALID) from None


def prefix(value: str) -> str:
    """Parse the beginning of an entity id."""
    cleaned = value.strip(_SURROUNDING).rstrip("*…").lower()
    try:
        return PageRequest(entity_prefix=cleaned).entity_prefix
    except InvalidInput as error:
        raise InvalidInput(f"{error}{_hint('prefix:', _suggest(cleaned))}") from None


def _name(kind: Callable[[str], NameType], value: str) -> NameType:
    # Phones capitalise the first letter.
    cleaned = value.strip(_SURROUNDING).lower()
    try:
        return kind(cleaned)
    except InvalidInput as error:
        suggestion = _suggest(cleaned)
        try:
            kind(suggestion)
        except InvalidInput:
            raise error from None
        raise InvalidInput(f"{error}{_hint('', suggestion)}", (value, suggestion)) from None


def _suggest(cleaned: str) -> str:
    """Return the nearest valid name: without accents, and with underscores for invalid characters."""
    letters = "".join(one for one in unicodedata.normalize("NFKD", cleaned[:256]) if not unicodedata.combining(one))
    return re.sub(r"[^a-z0-9_]+", "_", letters.lower(), flags=re.ASCII).strip("_")[:64]


def _hint(before: str, likely: str) -> str:
    return f" {wording.did_you_mean(before + likely)}" if likely else ""
