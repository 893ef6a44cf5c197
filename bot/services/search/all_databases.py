"""Search several databases with one picture, and merge what they found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import BackendError, UnknownDatabase
from bot.domain.identifiers import ALL_DATABASES, DatabaseKey, DatabaseName
from bot.services.search.grouping import ranked
from bot.services.search.search_result import SearchResult

log = logging.getLogger(__name__)

CONCURRENCY = 3
"""Databases that one picture searches at the same time."""

MAX_MERGED = 50
"""Matches of all databases together, as many as of one."""

SearchOne = Callable[[DatabaseKey], Awaitable[SearchResult]]
"""Searches one database. Raises UnknownDatabase and BackendError."""


async def search_all(keys: Sequence[DatabaseKey], search: SearchOne) -> SearchResult:
    """Return the matches of all databases, best first.

    A database whose back end fails is named in ``missing``. Raises the first error if all fail, and UnknownDatabase if
    all were deleted.
    """
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(key: DatabaseKey) -> SearchResult | BackendError | UnknownDatabase:
        async with slots:
            try:
                return await search(key)
            except UnknownDatabase as error:
                # It was deleted meanwhile.
                return error
            except BackendError as error:
                log.warning("one of several databases could not be searched: %s", error)
                return error

    outcomes = await asyncio.gather(*map(one, keys))
    found = [outcome for outcome in outcomes if isinstance(outcome, SearchResult)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, BackendError)]
    if not found:
        raise (*failed, *(outcome for outcome in outcomes if isinstance(outcome, UnknownDatabase)))[0]
    missing = [key.name for key, outcome in zip(keys, outcomes, strict=True) if isinstance(outcome, BackendError)]
    return merged(found, missing)


def merged(found: Sequence[SearchResult], missing: Sequence[DatabaseName] = ()) -> SearchResult:
    """Return the results of several databases as one. They stay in ``parts``."""
    cached = [result.cached_at for result in found if result.cached_at is not None]
    causes = [result.cause for result in found if result.cause is not None]
    infos = [result.database for result in found]
    every = DatabaseInfo(
        DatabaseKey(infos[0].key.workspace, ALL_DATABASES),
        sum(info.images for info in infos),
        min(info.created_at for info in infos),
    )
    matches = sorted((match for result in found for match in result.matches), key=lambda one: -one.match.score)
    return SearchResult(
        every,
        ranked(matches[:MAX_MERGED]),
        sum(result.weaker for result in found),
        max(result.seconds for result in found),
        hidden=sum(result.hidden for result in found),
        cached_at=min(cached, default=None),
        weaker_records=tuple(record for result in found for record in result.weaker_records),
        caveats=frozenset(caveat for result in found for caveat in result.caveats),
        cause=causes[0] if causes else None,
        hides_images=any(result.hides_images for result in found),
        with_text=any(result.with_text for result in found),
        parts=tuple(found),
        missing=tuple(missing),
    )
