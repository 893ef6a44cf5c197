"""What the hosted service takes."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ADD_BYTES = 2_000_000
MAX_SEARCH_BYTES = 3_000_000

SIDE_OVER = 128
SIDE_UNDER = 1024
"""Pixels a side: more than the one, and less than the other."""

MAX_RESULTS = 1000
MAX_PAGE = 1000
MAX_OFFSET = 2000
"""So many rows of a listing are reached by Offset and Limit; from there on the Token leads."""

MAX_URL_LENGTH = 4096
"""Ours; the service documents none."""


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Of one server."""

    images: int = 50_000
    """In a database."""
    concurrency: int = 16
    """Adds and searches under way; each holds a picture in memory."""
    wait_s: float = 2.0
    """How long a further one waits for its turn. Clients wait no longer than 5 seconds for all of it."""
    body_timeout_s: float = 5.0
