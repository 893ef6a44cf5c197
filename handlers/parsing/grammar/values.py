"""Values of modifiers, checked. What is impossible raises InvalidInput with the right form."""

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
"""Brackets of the help text, left-over quotes, and the punctuation of a sentence: none of it is part of a name."""

NameType = TypeVar("NameType", DatabaseName, EntityId)


def database(value: str) -> DatabaseName:
    """A database's name."""
    return _name(DatabaseName, value)


def entity(value: str) -> EntityId:
    """An entity's id."""
    return _name(EntityId, value)


def note(value: str) -> Note:
    """A note."""
    return Note(value)


def top(value: str) -> int:
    """A number of results."""
    digits = value.strip(_SURROUNDING)
    if re.fullmatch(r"[0-9]{1,4}", digits) and 1 <= int(digits) <= MAX_TOP:
        return int(digits)
    raise InvalidInput(wording.top_invalid(MAX_TOP))


def minimum(value: str) -> float:
    """The least score. Answers write scores as “7.5/10”, so people do too."""
    digits = value.strip(_SURROUNDING).removesuffix("/10").strip(_SURROUNDING)
    if re.search(r"[0-9]", digits) and _SCORE.fullmatch(digits):
        score = float(digits.replace(",", "."))
        if score <= TOP_SCORE:
            return score
    raise InvalidInput(wording.MINIMUM_INVALID)


def order(value: str) -> Order:
    """Which end of a listing comes first."""
    try:
        return Order(value.strip(_SURROUNDING).lower())
    except ValueError:
        raise InvalidInput(wording.ORDER_INVALID) from None


def prefix(value: str) -> str:
    """The beginning of an entity's id."""
    wanted = value.strip(_SURROUNDING).rstrip("*…").lower()
    try:
        return PageRequest(entity_prefix=wanted).entity_prefix
    except InvalidInput as error:
        raise InvalidInput(f"{error}{_hint('prefix:', _suggest(wanted))}") from None


def _name(kind: Callable[[str], NameType], value: str) -> NameType:
    # Phones begin words with a capital.
    wanted = value.strip(_SURROUNDING).lower()
    try:
        return kind(wanted)
    except InvalidInput as error:
        likely = _suggest(wanted)
        try:
            kind(likely)
        except InvalidInput:
            raise error from None
        raise InvalidInput(f"{error}{_hint('', likely)}") from None


def _suggest(wanted: str) -> str:
    """The nearest that may stand in a name: no accents, and one underscore for whatever is strange."""
    letters = "".join(one for one in unicodedata.normalize("NFKD", wanted[:256]) if not unicodedata.combining(one))
    return re.sub(r"[^a-z0-9_]+", "_", letters.lower(), flags=re.ASCII).strip("_")[:64]


def _hint(before: str, likely: str) -> str:
    return f" {wording.did_you_mean(before + likely)}" if likely else ""
