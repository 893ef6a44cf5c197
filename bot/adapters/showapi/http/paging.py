"""Reads all rows of a database over many pages: each row once, and without endless loops if the service misbehaves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Protocol

from bot.adapters.showapi.http.responses import ParsedPage
from bot.adapters.showapi.http.values import HostedRow
from bot.domain.errors import BackendGarbled

log = logging.getLogger(__name__)

PAGE_SIZE = 100
"""Rows requested at once. The service documents no maximum."""

MAX_OFFSET = 2000
"""Rows that can be reached by offset. Later rows need the token of the page before."""

MAX_RESTARTS = 3
"""How often a listing starts again because rows were deleted meanwhile."""

MAX_ROWS = 200_000
"""Rows after which a listing counts as endless. A database holds at most 50,000 images."""


class PageFetcher(Protocol):
    """Fetches one page, by offset or by token."""

    async def __call__(self, *, limit: int, offset: int | None = None, token: str = "") -> ParsedPage:
        """Return the page. Raises BackendError."""
        ...


async def all_rows(fetch: PageFetcher, max_rows: int = MAX_ROWS) -> AsyncIterator[HostedRow]:
    """Yield every row once. Raises BackendGarbled if the service has more rows but no way to reach them.

    A row that is deleted meanwhile moves all later rows up, possibly into a page that was already read. The listing
    then starts again.
    """
    seen: set[tuple[str, str]] = set()
    pages = _PageReader(fetch)
    while True:
        rows = await pages.next()
        new = {(row.data_id, row.entity): row for row in rows if (row.data_id, row.entity) not in seen}
        seen |= new.keys()
        for row in new.values():
            yield row
        if len(seen) > max_rows:
            raise BackendGarbled(f"the listing does not end: {len(seen)} rows so far")
        if pages.is_finished:
            break
    if len(seen) < pages.total:
        log.info("the image search lists %d images but reports a total of %d", len(seen), pages.total)


class _PageReader:
    """Reads one page after another until ``is_finished``. ``total`` is the count that the service reports."""

    def __init__(self, fetch: PageFetcher) -> None:
        self._fetch = fetch
        self._restarts = 0
        self._begin()

    def _begin(self) -> None:
        self._row_count, self._token = 0, ""
        self._listed: set[tuple[str, str]] = set()
        self.total, self.is_finished = 0, False

    async def next(self) -> tuple[HostedRow, ...]:
        """Return the rows of the next page. Raises BackendGarbled if there are more rows but no way to reach them."""
        by_token = self._row_count >= MAX_OFFSET
        limit = PAGE_SIZE if by_token else min(PAGE_SIZE, MAX_OFFSET - self._row_count)
        parsed = await (
            self._fetch(limit=limit, token=self._token)
            if by_token
            else self._fetch(limit=limit, offset=self._row_count)
        )
        page, before = parsed.page, len(self._listed)
        shrunk, self.total = parsed.is_counted and page.total < self.total, page.total
        self._row_count, self._token = self._row_count + parsed.row_count, page.token
        self._listed.update((row.data_id, row.entity) for row in page.rows)
        if shrunk and self._restarts < MAX_RESTARTS:
            self._restarts += 1
            self._begin()
        else:
            self.is_finished = self._is_last(parsed, limit, repeats=len(self._listed) == before)
        return page.rows

    def _is_last(self, parsed: ParsedPage, limit: int, *, repeats: bool) -> bool:
        # A short page may be the last one, or the service may limit its pages. The total may be wrong too.
        if repeats or (parsed.row_count < limit and self._row_count >= self.total):
            return True
        if self._row_count < MAX_OFFSET or self._token:
            return False
        if self._row_count == MAX_OFFSET < self.total:
            raise BackendGarbled(f"the service lists {self._row_count} of {self.total} images but gives no page token")
        return True
