"""Limits of the API. Most are those of the hosted service."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ADD_BYTES = 2_000_000
MAX_SEARCH_BYTES = 3_000_000

MIN_SIDE, MAX_SIDE = 129, 1023
"""Limits of each side of a picture in pixels. The service requires more than 128 and fewer than 1024."""

MAX_RESULTS = 1000
MAX_PAGE = 1000
MAX_OFFSET = 2000
"""Rows of a listing that can be reached by Offset and Limit. Later rows need the Token of the page before."""

MAX_URL_LENGTH = 4096
"""Our own limit. The service documents none."""


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Limits of one server."""

    images: int = 50_000
    """Images in a database."""
    concurrency: int = 16
    """Adds and searches at the same time. Each has a picture in memory."""
    wait_s: float = 2.0
    """How long a call waits for a slot. Clients wait no longer than 5 seconds in total."""
    body_timeout_s: float = 5.0
    """How long a request's body may take to arrive."""
