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
from contextlib import suppress
from datetime import datetime

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

        If the current unit is rolled back, the pictures are removed again unless an image uses them.
        Raises PictureBeingRemoved.
        """
        if self._database.in_unit:
            wanted = list(digests)
            await self._database.after_rollback(lambda: self.discard_unused(wanted))
        deadline = time.monotonic() + WAIT_S
        while True:
            tokens = await self._database.snapshot(lambda connection: tokens_of(connection, digests))
            busy = [digest for digest, token in tokens.items() if token.state is RemovalState.CLAIMED]
            if not busy:
                return tokens
            if time.monotonic() > deadline:
                raise PictureBeingRemoved(busy[0])
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

    async def work_off(self, limit: int = BATCH) -> int:
        """Remove up to ``limit`` due pictures. Return how many were settled."""
        settled = await self._settle(await self._pending.claim_pictures(limit))
        if settled:
            await self._pending.retry_failed(RemovalKind.PICTURE)
        return settled

    async def _discard(self, digests: Sequence[str]) -> None:
        for start in range(0, len(digests), BATCH):
            if not await self._claim_and_settle(digests[start : start + BATCH]):
                return
        # The store works. Don't leave what failed before to its long delay.
        if await self._pending.retry_failed(RemovalKind.PICTURE):
            await self.work_off()

    async def _claim_and_settle(self, digests: Sequence[str]) -> bool:
        """Claim pictures and remove them. Return False after a failure."""

        async def work() -> bool:
            claimed = await self._pending.claim_pictures(BATCH, digests)
            return not claimed or await self._settle(claimed) > 0

        # If the caller is cancelled, a claim that is being written must still be settled. Adds wait for it.
        working = asyncio.ensure_future(work())
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            with suppress(BackendError):
                await working
            raise

    async def _settle(self, claimed: Sequence[ClaimedRemoval]) -> int:
        """Make claimed removals, even if the caller is cancelled meanwhile. Return how many; 0 after a failure."""
        if not claimed:
            return 0
        settling = asyncio.ensure_future(self._settle_now(claimed))
        try:
            return await asyncio.shield(settling)
        except asyncio.CancelledError:
            with suppress(BackendError):
                await settling
            raise

    async def _settle_now(self, claimed: Sequence[ClaimedRemoval]) -> int:
        try:
            async with asyncio.timeout(REMOVE_TIMEOUT_S):
                await self._remove([removal.name for removal in claimed])
        except (BackendError, TimeoutError) as error:
            log.warning("%d pictures will be deleted from %s later: %s", len(claimed), self._place, error)
            await self._pending.postpone(claimed)
            return 0
        await self._pending.finish(claimed)
        return len(claimed)
