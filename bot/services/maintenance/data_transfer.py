"""Move a house to other storage: all rows, all pictures, and what the search is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.storage.ports.pictures import PictureStore
from bot.storage.ports.transfer import SourcePictures, Transfer, TransferPlan

PICTURE_BATCH = 16
CONCURRENT_BATCHES = 6
"""Groups of pictures under way: their bytes are in memory."""


class TransferPhase(StrEnum):
    """What is being moved."""

    ROWS = "rows"
    PICTURES = "pictures"
    VECTORS = "vectors"


OnTransferProgress = Callable[[TransferPhase, int, int], None]
"""Told how many of how many were dealt with."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What was done. ``rows`` and ``pictures`` are this run's; ``missing``: pictures that the house did not have.

    ``source``: the house's name. ``tables``: all rows of each, once both sides were compared. ``finished``: an earlier
    run had finished.
    """

    source: str
    rows: int
    pictures: int
    missing: tuple[str, ...]
    tables: Mapping[str, int]
    restarted: bool
    finished: bool
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return not self.interrupted and not self.missing


class TransferService:
    """One use case: a house that goes on elsewhere as if nothing had happened."""

    def __init__(self, move: Transfer, before: SourcePictures, after: PictureStore) -> None:
        self._move = move
        self._before = before
        self._after = after

    async def transfer(self, watch: OnTransferProgress, stop: asyncio.Event) -> TransferResult:
        """Move what has not been moved yet; whatever interrupts it, a second run goes on.

        Once ``stop`` is set, what is in flight is finished and nothing more begun. Raises UserError where a house can't
        move, and BackendError.
        """
        beginning = await self._move.begin()
        rows = await self._copy_rows(beginning, watch, stop)
        pictures, missing = await self._copy_pictures(beginning.pictures, watch, stop)
        await self._derive_vectors(beginning.vectors, watch, stop)
        tables = {} if stop.is_set() or beginning.finished else await self._move.finish()
        interrupted = stop.is_set() and not tables
        return TransferResult(
            beginning.source, rows, pictures, missing, tables, beginning.restarted, beginning.finished, interrupted
        )

    async def _copy_rows(self, beginning: TransferPlan, watch: OnTransferProgress, stop: asyncio.Event) -> int:
        moved = 0
        while not stop.is_set() and (some := await self._move.copy_rows()):
            moved += some
            watch(TransferPhase.ROWS, beginning.rows_done + moved, beginning.rows)
        return moved

    async def _copy_pictures(
        self, total: int, watch: OnTransferProgress, stop: asyncio.Event
    ) -> tuple[int, tuple[str, ...]]:
        """Each is looked for where it is to be, so that in the end each is known to be there."""
        moved, looked_at, after = 0, 0, ""
        missing: list[str] = []
        while not stop.is_set():
            wanted, after = await self._move.digests(after, PICTURE_BATCH * CONCURRENT_BATCHES)
            if not after:
                break
            groups = [wanted[start : start + PICTURE_BATCH] for start in range(0, len(wanted), PICTURE_BATCH)]
            for put, lost in await asyncio.gather(*map(self._copy_batch, groups)):
                moved += put
                missing += lost
            looked_at += len(wanted)
            watch(TransferPhase.PICTURES, looked_at, total)
        return moved, tuple(missing)

    async def _copy_batch(self, digests: Sequence[str]) -> tuple[int, list[str]]:
        """How many were moved, and those that can't be."""
        lacking = [digest for digest in digests if not await self._exists(digest)]
        if not lacking:
            return 0, []
        jpegs = await self._before.jpegs(lacking)
        await self._after.put_all(jpegs)
        return len(jpegs), [digest for digest in lacking if not await self._exists(digest)]

    async def _exists(self, digest: str) -> bool:
        try:
            return bool(await self._after.get(digest))
        except KeyError:
            return False

    async def _derive_vectors(self, total: int, watch: OnTransferProgress, stop: asyncio.Event) -> None:
        made = 0
        while not stop.is_set() and (some := await self._move.derive_vectors()):
            made += some
            watch(TransferPhase.VECTORS, made, total)
