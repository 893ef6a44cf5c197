"""All rows of a database, over however many pages: each once, and with an end whatever the service says."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Protocol

from bot.adapters.showapi.http.responses import ParsedPage
from bot.adapters.showapi.http.values import HostedRow
from bot.domain.errors import BackendGarbled

log = logging.getLogger(__name__)

PAGE_SIZE = 100
"""Rows asked for; the most that may be is documented nowhere."""

MAX_OFFSET = 2000
"""So many rows are reached by offsets; from there on tokens lead."""

MAX_RESTARTS = 3
"""How often a listing begins again because rows went meanwhile."""

MAX_ROWS = 200_000
"""A database holds 50,000 images."""


class PageFetcher(Protocol):
    """One page, by offset or by token."""

    async def __call__(self, *, limit: int, offset: int | None = None, token: str = "") -> ParsedPage:
        """Ask the service."""
        ...


async def all_rows(fetch: PageFetcher, max_rows: int = MAX_ROWS) -> AsyncIterator[HostedRow]:
    """Every row once. Raises BackendGarbled where the service has more and no way to it.

    A row that goes while we look moves all later ones up, over the edge of the page: then we begin again.
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
            raise BackendGarbled(f"a listing that does not end: {len(seen)} rows, and the service has more")
        if pages.at_the_end:
            break
    if len(seen) < pages.total:
        log.info("the image search lists %d images, and says that it has %d", len(seen), pages.total)


class _PageReader:
    """Page after page; ``at_the_end`` says whether there are more, ``total`` what the service says that there are."""

    def __init__(self, fetch: PageFetcher) -> None:
        self._ask = fetch
        self._restarts = 0
        self._begin()

    def _begin(self) -> None:
        self._sent, self._token = 0, ""
        self._listed: set[tuple[str, str]] = set()
        self.total, self.at_the_end = 0, False

    async def next(self) -> tuple[HostedRow, ...]:
        """Raises BackendGarbled where there are more and no way leads to them."""
        by_token = self._sent >= MAX_OFFSET
        limit = PAGE_SIZE if by_token else min(PAGE_SIZE, MAX_OFFSET - self._sent)
        read = await (
            self._ask(limit=limit, token=self._token) if by_token else self._ask(limit=limit, offset=self._sent)
        )
        page, before = read.page, len(self._listed)
        shrunk, self.total = read.is_counted and page.total < self.total, page.total
        self._sent, self._token = self._sent + read.row_count, page.token
        self._listed.update((row.data_id, row.entity) for row in page.rows)
        if shrunk and self._restarts < MAX_RESTARTS:
            self._restarts += 1
            self._begin()
        else:
            self.at_the_end = self._is_last(read, limit, repeats=len(self._listed) == before)
        return page.rows

    def _is_last(self, read: ParsedPage, limit: int, *, repeats: bool) -> bool:
        # A page may be shorter than asked for because there are no more, or because pages are; the total may be wrong.
        if repeats or (read.row_count < limit and self._sent >= self.total):
            return True
        if self._sent < MAX_OFFSET or self._token:
            return False
        if self._sent == MAX_OFFSET < self.total:
            raise BackendGarbled(f"the service lists {self._sent} of {self.total} images, and gives no token for more")
        return True
