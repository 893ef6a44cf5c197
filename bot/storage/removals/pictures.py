"""Remove stored pictures that no image uses, while adds of the same pictures may be running.

A removal is claimed in a short transaction, made outside of it, and recorded in another, so that a slow bucket or disk
never holds the writer. An add reads the state of the removals before it stores its pictures, and checks in its own
transaction that none was claimed since.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from bot.domain.errors import BackendError, PictureBeingRemoved
from bot.storage.ports.removals import ClaimedRemoval
from bot.storage.removals.pending import SqlPendingRemovals
from bot.storage.removals.rows import (
    RemovalKind,
    RemovalState,
    RemovalTokens,
    keep_pictures,
    queue_pictures,
    tokens_of,
)
from bot.storage.sql.database import Database
from bot.storage.sql.writer_threads import run_to_end

log = logging.getLogger(__name__)

BATCH = 50
"""Pictures of one claim. Few, so that its transactions are short, and it never runs out meanwhile."""

REMOVE_TIMEOUT_S = 60.0
"""Half of a claim's time, so that nothing is removed after others may have taken it over."""

WAIT_S, _CHECK_S = 10.0, 0.05
"""How long an add waits for a running removal of its picture, and how often it checks."""

RemoveBytes = Callable[[Sequence[str]], Awaitable[None]]
"""Deletes stored pictures by digest; missing ones are no error. Raises BackendError."""


class PictureRemovals:
    """The removals of one picture store; ``place`` names it in the log."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], remove: RemoveBytes, place: str = "the database"
    ) -> None:
        self._database = database
        self._pending = SqlPendingRemovals(database, clock)
        self._clock = clock
        self._remove = remove
        self._place = place

    async def before_put(self, digests: Collection[str]) -> RemovalTokens:
        """Wait until none of the pictures is being removed, and return the tokens for ``keep``.

        A removal whose claim has expired is made here, because no other process may be left to make it. If the current
        unit is rolled back, the pictures are removed again unless an image uses them. Raises PictureBeingRemoved.
        """
        if self._database.in_unit:
            wanted = list(digests)
            await self._database.after_rollback(lambda: self.discard_unused(wanted))
        deadline = time.monotonic() + WAIT_S
        while True:
            tokens = await self._database.snapshot(lambda connection: tokens_of(connection, digests))
            busy = {digest: token for digest, token in tokens.items() if token.state is RemovalState.CLAIMED}
            if not busy:
                return tokens
            if time.monotonic() > deadline:
                raise PictureBeingRemoved(next(iter(busy)))
            if expired := [digest for digest, token in busy.items() if token.due_at <= self._clock()]:
                await self._database.run_separately(partial(self._claim_and_remove, BATCH, expired))
            else:
                await asyncio.sleep(_CHECK_S)

    async def keep(self, digests: Collection[str], tokens: RemovalTokens) -> None:
        """Cancel removals of stored pictures: inside a unit in its transaction, outside at once.

        Raises PictureBeingRemoved (in a unit, at its end) if a picture was removed since ``before_put``.
        """
        wanted = list(digests)

        def work(connection: Connection) -> None:
            keep_pictures(connection, wanted, tokens)

        if tokens or self._database.in_unit:
            await self._database.defer(work)

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Remove those of the pictures that no image uses; inside a unit, after it has committed.

        The intent is in the unit's transaction. What fails now is removed later. Raises BackendError only if the
        database fails.
        """
        wanted = sorted(set(digests))
        if not wanted:
            return
        await self._database.defer(lambda connection: queue_pictures(connection, wanted, self._clock()))
        await self._database.after_commit(lambda: self._discard(wanted))

    async def remove_due(self, limit: int = BATCH) -> int:
        """Remove up to ``limit`` due pictures. Return how many; 0 after a failure."""
        _, removed = await self._claim_and_remove(limit)
        if removed:
            await self._pending.retry_failed(RemovalKind.PICTURE)
        return removed

    async def _discard(self, digests: Sequence[str]) -> None:
        for start in range(0, len(digests), BATCH):
            claimed, removed = await self._claim_and_remove(BATCH, digests[start : start + BATCH])
            if removed < claimed:
                return
        # The store works. Don't leave what failed before to its long delay.
        if await self._pending.retry_failed(RemovalKind.PICTURE):
            await self.remove_due()

    async def _claim_and_remove(self, limit: int, digests: Sequence[str] | None = None) -> tuple[int, int]:
        """Claim and remove pictures. Return how many were claimed, and how many of these were removed.

        A cancelled caller waits for the end: adds of the pictures would otherwise wait until the claim expires.
        """

        async def work() -> tuple[int, int]:
            claimed = await self._pending.claim_pictures(limit, digests)
            return len(claimed), await self._remove_claimed(claimed) if claimed else 0

        return await run_to_end(asyncio.ensure_future(work()))

    async def _remove_claimed(self, claimed: Sequence[ClaimedRemoval]) -> int:
        try:
            async with asyncio.timeout(REMOVE_TIMEOUT_S):
                await self._remove([removal.name for removal in claimed])
        except (BackendError, TimeoutError) as error:
            log.warning("%d pictures will be deleted from %s later: %s", len(claimed), self._place, error)
            await self._pending.postpone(claimed)
            return 0
        await self._pending.finish(claimed)
        return len(claimed)
