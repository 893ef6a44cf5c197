"""Transfer all data between SQLite and PostgreSQL: rows, pictures, and the vectors of the search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.storage.ports.pictures import PictureStore
from bot.storage.ports.transfer import SourcePictures, Transfer, TransferPlan

PICTURE_BATCH = 16
CONCURRENT_BATCHES = 6
"""Batches of pictures that are copied at the same time. Their bytes are in memory."""


class TransferPhase(StrEnum):
    """The phase of a transfer."""

    ROWS = "rows"
    PICTURES = "pictures"
    VECTORS = "vectors"


OnTransferProgress = Callable[[TransferPhase, int, int], None]
"""Receives the phase, the number of items done, and the total."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """The result of a transfer.

    Attributes:
        source: Name of the source for people.
        rows: Rows that this run copied.
        pictures: Pictures that this run copied.
        missing: Digests of pictures that the source doesn't have.
        tables: Number of rows of each table, after both sides were compared.
        restarted: An unfinished transfer was restarted because its source had changed.
        finished: An earlier run had already finished.
        interrupted: This run was stopped early.
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
        """Whether everything was transferred."""
        return not self.interrupted and not self.missing


class TransferService:
    """Transfers all data into new storage. An interrupted transfer continues where it stopped."""

    def __init__(self, transfer: Transfer, source_pictures: SourcePictures, target_pictures: PictureStore) -> None:
        self._transfer = transfer
        self._source_pictures = source_pictures
        self._target_pictures = target_pictures

    async def transfer(self, on_progress: OnTransferProgress, stop: asyncio.Event) -> TransferResult:
        """Copy what has not been copied yet.

        After ``stop`` is set, finish the batches in flight and start no more. Raises UserError if the source can't be
        transferred, and BackendError.
        """
        plan = await self._transfer.begin()
        rows = await self._copy_rows(plan, on_progress, stop)
        pictures, missing = await self._copy_pictures(plan.pictures, on_progress, stop)
        await self._derive_vectors(plan.vectors, on_progress, stop)
        tables = {} if stop.is_set() or plan.finished else await self._transfer.finish()
        interrupted = stop.is_set() and not tables
        return TransferResult(plan.source, rows, pictures, missing, tables, plan.restarted, plan.finished, interrupted)

    async def _copy_rows(self, plan: TransferPlan, on_progress: OnTransferProgress, stop: asyncio.Event) -> int:
        copied = 0
        while not stop.is_set() and (count := await self._transfer.copy_rows()):
            copied += count
            on_progress(TransferPhase.ROWS, plan.rows_done + copied, plan.rows)
        return copied

    async def _copy_pictures(
        self, total: int, on_progress: OnTransferProgress, stop: asyncio.Event
    ) -> tuple[int, tuple[str, ...]]:
        """Copy pictures that the target lacks, and check in the target that each one arrived."""
        copied, checked, after = 0, 0, ""
        missing: list[str] = []
        while not stop.is_set():
            wanted, after = await self._transfer.digests(after, PICTURE_BATCH * CONCURRENT_BATCHES)
            if not after:
                break
            batches = [wanted[start : start + PICTURE_BATCH] for start in range(0, len(wanted), PICTURE_BATCH)]
            for stored, not_found in await asyncio.gather(*map(self._copy_batch, batches)):
                copied += stored
                missing += not_found
            checked += len(wanted)
            on_progress(TransferPhase.PICTURES, checked, total)
        return copied, tuple(missing)

    async def _copy_batch(self, digests: Sequence[str]) -> tuple[int, list[str]]:
        """Return how many pictures were copied, and the digests of those that the source lacks."""
        absent = [digest for digest in digests if not await self._exists(digest)]
        if not absent:
            return 0, []
        jpegs = await self._source_pictures.jpegs(absent)
        await self._target_pictures.put_all(jpegs)
        return len(jpegs), [digest for digest in absent if not await self._exists(digest)]

    async def _exists(self, digest: str) -> bool:
        try:
            return bool(await self._target_pictures.get(digest))
        except KeyError:
            return False

    async def _derive_vectors(self, total: int, on_progress: OnTransferProgress, stop: asyncio.Event) -> None:
        derived = 0
        while not stop.is_set() and (count := await self._transfer.derive_vectors()):
            derived += count
            on_progress(TransferPhase.VECTORS, derived, total)
