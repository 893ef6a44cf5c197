"""The base of the states that buttons and modals carry: dataclasses as compact JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
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
