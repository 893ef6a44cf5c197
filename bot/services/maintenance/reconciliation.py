"""Compare the catalogue with a back end, and repair the back end. Migrating to another back end works the same way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from bot.adapters.port import OrphanReporter, VisualSearch
from bot.domain.errors import BackendLost, UnknownDatabase
from bot.domain.identifiers import DatabaseKey
from bot.domain.pages import PageRequest
from bot.services.maintenance.comparison import (
    ALL_DATABASES,
    ComparedDatabase,
    Comparer,
    DatabaseDifference,
    Decode,
    Scope,
)
from bot.services.maintenance.repair import Repairer, RepairResult
from bot.storage.ports.storage import Storage

OnReconcileProgress = Callable[[int, int], None]
"""Receives the number of images done and the total."""


def _no_progress(_done: int, _total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """The result of a comparison. ``orphans`` describes, in a sentence each, what no catalogue database owns."""

    differences: tuple[DatabaseDifference, ...]
    orphans: tuple[str, ...]
    interrupted: bool

    @property
    def agrees(self) -> bool:
        """Whether both sides agree."""
        return not self.orphans and all(difference.agrees for difference in self.differences)


@dataclass(frozen=True, slots=True)
class ReconcileOutcome:
    """The result of a repair."""

    repairs: tuple[RepairResult, ...]
    orphans_deleted: int
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether both sides agree now."""
        return not self.interrupted and all(repair.complete for repair in self.repairs)


@dataclass(frozen=True, slots=True)
class BackendDatabase:
    """A database in a back end, and its number of images."""

    key: DatabaseKey
    images: int


class ReconcileService:
    """Makes a back end contain exactly the images of the catalogue.

    It touches only databases of workspaces in the catalogue, never those of `vsearch serve-api`.
    """

    def __init__(self, storage: Storage, visual: VisualSearch, decode: Decode) -> None:
        self._storage = storage
        self._visual = visual
        self._comparer = Comparer(storage, visual, decode)
        self._repairer = Repairer(storage, visual, self._comparer)

    async def compare(
        self,
        scope: Scope = ALL_DATABASES,
        *,
        on_progress: OnReconcileProgress = _no_progress,
        stop: asyncio.Event | None = None,
    ) -> ReconcileReport:
        """Compare without changing anything. After ``stop`` is set, skip the rest. Raises BackendError."""
        stop = stop or asyncio.Event()
        databases = await self._comparer.databases(scope)
        progress = _Progress(on_progress, databases)
        differences: list[DatabaseDifference] = []
        async for difference in self._compared(databases, progress, stop):
            unreadable = await self._comparer.unreadable(difference, progress.add, stop)
            differences.append(replace(difference, unreadable=unreadable))
        orphans: tuple[str, ...] = ()
        if scope.covers_all and not stop.is_set() and isinstance(self._visual, OrphanReporter):
            orphans = await self._visual.describe_orphans(await self._comparer.recorded())
        return ReconcileReport(tuple(differences), orphans, stop.is_set())

    async def repair(
        self,
        scope: Scope = ALL_DATABASES,
        *,
        on_progress: OnReconcileProgress = _no_progress,
        stop: asyncio.Event | None = None,
    ) -> ReconcileOutcome:
        """Compare, and repair the back end. Running it again after an interruption continues the work.

        After ``stop`` is set, finish the images in flight and start no more. Raises ModelMismatch and BackendError.
        """
        stop = stop or asyncio.Event()
        databases = await self._comparer.databases(scope)
        progress = _Progress(on_progress, databases)
        repairs = [
            await self._repairer.repair(difference, progress.add, stop)
            async for difference in self._compared(databases, progress, stop)
        ]
        if stop.is_set():
            return ReconcileOutcome(tuple(repairs), 0, interrupted=True)
        orphans_deleted = 0
        if scope.covers_all and isinstance(self._visual, OrphanReporter):
            orphans_deleted = await self._visual.delete_orphans(await self._comparer.recorded())
        return ReconcileOutcome(
            tuple([await self._check_again(repair) for repair in repairs]), orphans_deleted, interrupted=False
        )

    async def _compared(
        self, databases: list[ComparedDatabase], progress: _Progress, stop: asyncio.Event
    ) -> AsyncIterator[DatabaseDifference]:
        """Compare the databases one by one, so that each can be processed before the next is read."""
        for database in databases:
            if stop.is_set():
                return
            difference = await self._comparer.compare(database)
            if difference is not None:
                progress.add(difference.recorded - len(difference.missing))
                yield difference

    async def backend_databases(self) -> tuple[BackendDatabase, ...]:
        """Return the back end's databases of the catalogue's workspaces."""
        databases: list[BackendDatabase] = []
        for workspace in await self._comparer.workspaces():
            for name in await self._visual.list_databases(workspace):
                key = DatabaseKey(workspace, name)
                databases.append(
                    BackendDatabase(key, (await self._visual.list_images(key, PageRequest(limit=1))).total)
                )
        return tuple(databases)

    async def delete_all(self) -> int:
        """Delete these databases and all orphans from the back end, and return the number of databases."""
        databases = await self.backend_databases()
        for database in databases:
            with contextlib.suppress(UnknownDatabase):
                async with self._storage.unit():
                    await self._visual.delete_database(database.key)
        if isinstance(self._visual, OrphanReporter):
            await self._visual.delete_orphans(())
        return len(databases)

    async def _check_again(self, repair: RepairResult) -> RepairResult:
        """Check again which unlisted images the back end still has: it may have been deleting them."""
        if not repair.unlisted:
            return repair
        key = repair.difference.key
        try:
            held = await self._visual.inventory(key)
            known = await self._storage.catalogue.records(key, repair.unlisted)
        except (BackendLost, UnknownDatabase):
            return repair
        return replace(
            repair, unlisted=tuple(data_id for data_id in repair.unlisted if data_id in held and data_id not in known)
        )


class _Progress:
    """Counts the images that are done."""

    def __init__(self, on_progress: OnReconcileProgress, databases: list[ComparedDatabase]) -> None:
        self._on_progress = on_progress
        self._done = 0
        self._total = sum(database.images for database in databases)

    def add(self, images: int) -> None:
        self._done += images
        # Images may be added after the total was counted.
        self._total = max(self._total, self._done)
        self._on_progress(self._done, self._total)
