"""State that buttons and modals carry in Slack, so that they work at any time and in any process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.errors import InvalidInput

MAX_BUTTON_VALUE = 2000
MAX_METADATA = 3000

MAX_NUMBER = 1_000_000
"""The bot writes no larger number, and SQLite takes none beyond 64 bits."""


@dataclass(frozen=True, slots=True)
class InteractionState:
    """Base of states: fields of type str, int, float or bool, encoded as compact JSON."""

    def encode(self, max_length: int = MAX_BUTTON_VALUE) -> str | None:
        """Return the fields that differ from their defaults as JSON; None if Slack takes no text of that length."""
        defaults = type(self)()
        given = {name: value for name, value in asdict(self).items() if value != getattr(defaults, name)}
        text = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
        return text if len(text.encode("utf-16-le", "surrogatepass")) // 2 <= max_length else None

    @classmethod
    def decode(cls, text: object) -> Self:
        """Read an encoded state. Raises InvalidInput for anything that ``encode`` did not write."""
        try:
            given: Any = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise InvalidInput(STALE_BUTTON)
        defaults = cls()
        try:
            # JSON has only one type of number.
            values = {name: type(getattr(defaults, name))(value) for name, value in given.items()}
            read = cls(**values)
        except (AttributeError, ValueError, TypeError, OverflowError):
            raise InvalidInput(STALE_BUTTON) from None
        # Written this way, the check refuses NaN too.
        if not all(abs(value) <= MAX_NUMBER for value in values.values() if isinstance(value, int | float)):
            raise InvalidInput(STALE_BUTTON)
        return read


@dataclass(frozen=True, slots=True)
class SearchState(InteractionState):
    """A search that can be repeated.

    Attributes:
        file: the Slack file to search with; empty for a URL.
        url: the image URL to search with; empty for a file.
        name: the file's name, for people.
        channel: where the file was shared; empty for an upload in a modal.
        message: timestamp of the message that shared it; empty for an upload in a modal.
        thread: timestamp of the thread that answers go into.
        database: the database to search.
        top: number of matches on a page.
        minimum: matches with a lower score are hidden.
        offset: number of matches on earlier pages.

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
    """A page of a listing; ``offset`` is the number of images on earlier pages."""

    database: str = ""
    prefix: str = ""
    order: str = "desc"
    offset: int = 0


@dataclass(frozen=True, slots=True)
class EntityState(InteractionState):
    """An entity of a database that a button deletes."""

    database: str = ""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class NameState(InteractionState):
    """The database or the channel that a button is about."""

    database: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class FormState(InteractionState):
    """Where a modal was opened, and what it is about.

    Attributes:
        response_url: answers may go here.
        channel: where it was opened; empty in App Home.
        channel_kind: the channel's ``ChannelKind``.
        thread: timestamp of the thread that answers go into.
        database: the database to use if the form names none.
        state: encoded ``SearchState``s, one on each line.
        home: whether it was opened in App Home.
        binds: a channel that will use the database that the form creates.

    """

    response_url: str = ""
    channel: str = ""
    channel_kind: str = ""
    thread: str = ""
    database: str = ""
    state: str = ""
    home: bool = field(default=False)
    binds: str = ""
