"""What the hosted service takes."""

from __future__ import annotations

from dataclasses import dataclass

ADDED_BYTES = 2_000_000
SEARCHED_BYTES = 3_000_000

SIDE_OVER = 128
SIDE_UNDER = 1024
"""Pixels a side: more than the one, and less than the other."""

RESULTS = 1000
PAGE = 1000
BY_OFFSET = 2000
"""So many rows of a listing are reached by Offset and Limit; from there on the Token leads."""

URL_LENGTH = 4096
"""Ours; the service documents none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one server."""

    images: int = 50_000
    """In a database."""
    at_once: int = 16
    """Adds and searches under way; each holds a picture in memory."""
    wait_s: float = 2.0
    """How long a further one waits for its turn. Clients wait no longer than 5 seconds for all of it."""
    body_timeout_s: float = 5.0
