"""What buttons and modals carry, so that they work however long after, in whichever process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bot.domain.errors import InvalidInput

MAX_BUTTON_VALUE = 2000
MAX_METADATA = 3000

MAX_NUMBER = 1_000_000
"""No number that we carry is larger, and storage takes none that is very much so."""

STALE_BUTTON = "That button is from an older version of the bot. Please search again."


@dataclass(frozen=True, slots=True)
class InteractionState:
    """Base of what is carried: flat values of text, numbers and truth, written as compact JSON."""

    def encode(self, most: int = MAX_BUTTON_VALUE) -> str | None:
        """As text; None if that is longer than Slack carries."""
        defaults = type(self)()
        given = {name: value for name, value in asdict(self).items() if value != getattr(defaults, name)}
        text = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
        return text if len(text.encode("utf-16-le", "surrogatepass")) // 2 <= most else None

    @classmethod
    def decode(cls, text: object) -> Self:
        """Back from text. Raises InvalidInput for what no version of ours wrote."""
        try:
            given: Any = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise InvalidInput(STALE_BUTTON)
        defaults = cls()
        try:
            # JSON has one kind of number.
            values = {name: type(getattr(defaults, name))(value) for name, value in given.items()}
            read = cls(**values)
        except (AttributeError, ValueError, TypeError, OverflowError):
            raise InvalidInput(STALE_BUTTON) from None
        # Asked this way, NaN is no number that fits either.
        if not all(abs(value) <= MAX_NUMBER for value in values.values() if isinstance(value, int | float)):
            raise InvalidInput(STALE_BUTTON)
        return read


@dataclass(frozen=True, slots=True)
class SearchState(InteractionState):
    """A search that can be done again: a Slack file or an address, where it was shared, and how to look.

    ``channel`` and ``message`` are those of the share (empty for an upload in a modal); ``thread`` is where answers
    belong; ``offset`` counts the matches shown before.
    """

    file: str = ""
    url: str = ""
    name: str = ""
    channel: str = ""
    message: str = ""
    thread: str = ""
    database: str = ""
    top: int = 5
    minimum: float = 5.0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ListState(InteractionState):
    """A page of a listing."""

    database: str = ""
    prefix: str = ""
    order: str = "desc"
    offset: int = 0


@dataclass(frozen=True, slots=True)
class EntityState(InteractionState):
    """An entity of a database, to be deleted."""

    database: str = ""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class NameState(InteractionState):
    """A database (``database``) or a channel (``channel``) that a button is about."""

    database: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class FormState(InteractionState):
    """What a modal remembers of where it was opened. ``state`` is an encoded SearchState, if it is about one.

    ``binds``: a channel that is to use the database which is made.
    """

    response_url: str = ""
    channel: str = ""
    channel_kind: str = ""
    thread: str = ""
    database: str = ""
    state: str = ""
    home: bool = field(default=False)
    binds: str = ""
