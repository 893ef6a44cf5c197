"""Move a house to other storage: all rows, all pictures, and what the search is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.storage.base import PictureStore
from bot.storage.house import Beginning, HouseMove, OldPictures

PICTURES_AT_ONCE = 16
GROUPS_AT_ONCE = 6
"""Groups of pictures under way: their bytes are in memory."""


class Phase(StrEnum):
    """What is being moved."""

    ROWS = "rows"
    PICTURES = "pictures"
    VECTORS = "vectors"


Watch = Callable[[Phase, int, int], None]
"""Told how many of how many were dealt with."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done. ``rows`` and ``pictures`` are this run's; ``missing``: pictures that the house did not have.

    ``source``: the house's name. ``tables``: all rows of each, once both sides were compared. ``finished``: an earlier
    run had finished.
    """

    source: str
    rows: int
    pictures: int
    missing: tuple[str, ...]
    tables: Mapping[str, int]
    anew: bool
    finished: bool
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return not self.interrupted and not self.missing


class MoveService:
    """One use case: a house that goes on elsewhere as if nothing had happened."""

    def __init__(self, move: HouseMove, before: OldPictures, after: PictureStore) -> None:
        self._move = move
        self._before = before
        self._after = after

    async def move(self, watch: Watch, stop: asyncio.Event) -> Moved:
        """Move what has not been moved yet; whatever interrupts it, a second run goes on.

        Once ``stop`` is set, what is in flight is finished and nothing more begun. Raises UserError where a house can't
        move, and BackendError.
        """
        beginning = await self._move.begin()
        rows = await self._move_rows(beginning, watch, stop)
        pictures, missing = await self._move_pictures(beginning.pictures, watch, stop)
        await self._derive(beginning.vectors, watch, stop)
        tables = {} if stop.is_set() or beginning.finished else await self._move.finish()
        interrupted = stop.is_set() and not tables
        return Moved(beginning.source, rows, pictures, missing, tables, beginning.anew, beginning.finished, interrupted)

    async def _move_rows(self, beginning: Beginning, watch: Watch, stop: asyncio.Event) -> int:
        moved = 0
        while not stop.is_set() and (some := await self._move.move_some()):
            moved += some
            watch(Phase.ROWS, beginning.done + moved, beginning.rows)
        return moved

    async def _move_pictures(self, total: int, watch: Watch, stop: asyncio.Event) -> tuple[int, tuple[str, ...]]:
        """Each is looked for where it is to be, so that in the end each is known to be there."""
        moved, looked_at, after = 0, 0, ""
        missing: list[str] = []
        while not stop.is_set():
            wanted, after = await self._move.digests(after, PICTURES_AT_ONCE * GROUPS_AT_ONCE)
            if not after:
                break
            groups = [wanted[start : start + PICTURES_AT_ONCE] for start in range(0, len(wanted), PICTURES_AT_ONCE)]
            for put, lost in await asyncio.gather(*map(self._move_group, groups)):
                moved += put
                missing += lost
            looked_at += len(wanted)
            watch(Phase.PICTURES, looked_at, total)
        return moved, tuple(missing)

    async def _move_group(self, digests: Sequence[str]) -> tuple[int, list[str]]:
        """How many were moved, and those that can't be."""
        lacking = [digest for digest in digests if not await self._is_there(digest)]
        if not lacking:
            return 0, []
        jpegs = await self._before.jpegs(lacking)
        await self._after.put_all(jpegs)
        return len(jpegs), [digest for digest in lacking if not await self._is_there(digest)]

    async def _is_there(self, digest: str) -> bool:
        try:
            return bool(await self._after.get(digest))
        except KeyError:
            return False

    async def _derive(self, total: int, watch: Watch, stop: asyncio.Event) -> None:
        made = 0
        while not stop.is_set() and (some := await self._move.derive_some()):
            made += some
            watch(Phase.VECTORS, made, total)
