"""Compare the catalogue with a back end, and make them agree: moving to another back end is the same work."""

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
"""Told how many of how many images were dealt with."""


def _no_progress(_done: int, _total: int) -> None:
    """For callers that do not watch."""


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What was found. ``leftovers``: what lies at the back end and belongs to nobody, a sentence each."""

    findings: tuple[DatabaseDifference, ...]
    orphans: tuple[str, ...]
    interrupted: bool

    @property
    def agrees(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.orphans and all(finding.agrees for finding in self.findings)


@dataclass(frozen=True, slots=True)
class ReconcileOutcome:
    """What was done. ``cleared`` counts the leftovers that went."""

    repairs: tuple[RepairResult, ...]
    orphans_deleted: int
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether both sides agree now."""
        return not self.interrupted and all(repair.complete for repair in self.repairs)


@dataclass(frozen=True, slots=True)
class BackendDatabase:
    """A database that a back end has, and how many images."""

    key: DatabaseKey
    images: int


class ReconcileService:
    """One use case: a back end that has what the catalogue knows, and nothing else.

    Only databases of the workspaces that the catalogue knows are touched, never those of `vsearch serve-api`.
    """

    def __init__(self, storage: Storage, visual: VisualSearch, decode: Decode) -> None:
        self._storage = storage
        self._visual = visual
        self._comparer = Comparer(storage, visual, decode)
        self._mender = Repairer(storage, visual, self._comparer)

    async def compare(
        self,
        scope: Scope = ALL_DATABASES,
        *,
        on_progress: OnReconcileProgress = _no_progress,
        stop: asyncio.Event | None = None,
    ) -> ReconcileReport:
        """Compare, and change nothing. Once ``stop`` is set, the rest is left out. Raises BackendError."""
        stop = stop or asyncio.Event()
        places = await self._comparer.databases(scope)
        progress = _Progress(on_progress, places)
        findings: list[DatabaseDifference] = []
        async for finding in self._compared(places, progress, stop):
            unreadable = await self._comparer.unreadable(finding, progress.add, stop)
            findings.append(replace(finding, unreadable=unreadable))
        orphans: tuple[str, ...] = ()
        if scope.whole and not stop.is_set() and isinstance(self._visual, OrphanReporter):
            orphans = await self._visual.describe_orphans(await self._comparer.recorded())
        return ReconcileReport(tuple(findings), orphans, stop.is_set())

    async def repair(
        self,
        scope: Scope = ALL_DATABASES,
        *,
        on_progress: OnReconcileProgress = _no_progress,
        stop: asyncio.Event | None = None,
    ) -> ReconcileOutcome:
        """Compare, and make them agree; whatever interrupts it, a second run goes on.

        Once ``stop`` is set, what is in flight is finished and nothing more begun. Raises ModelMismatch, BackendError.
        """
        stop = stop or asyncio.Event()
        places = await self._comparer.databases(scope)
        progress = _Progress(on_progress, places)
        repairs = [
            await self._mender.repair(finding, progress.add, stop)
            async for finding in self._compared(places, progress, stop)
        ]
        if stop.is_set():
            return ReconcileOutcome(tuple(repairs), 0, interrupted=True)
        cleared = 0
        if scope.whole and isinstance(self._visual, OrphanReporter):
            cleared = await self._visual.delete_orphans(await self._comparer.recorded())
        return ReconcileOutcome(
            tuple([await self._check_again(repair) for repair in repairs]), cleared, interrupted=False
        )

    async def _compared(
        self, places: list[ComparedDatabase], progress: _Progress, stop: asyncio.Event
    ) -> AsyncIterator[DatabaseDifference]:
        """One after another, so that each is dealt with as soon as it is looked at."""
        for place in places:
            if stop.is_set():
                return
            finding = await self._comparer.compare(place)
            if finding is not None:
                progress.add(finding.recorded - len(finding.missing))
                yield finding

    async def backend_databases(self) -> tuple[BackendDatabase, ...]:
        """What the back end has of the catalogue's workspaces."""
        holdings: list[BackendDatabase] = []
        for workspace in await self._comparer.workspaces():
            for name in await self._visual.list_databases(workspace):
                key = DatabaseKey(workspace, name)
                holdings.append(BackendDatabase(key, (await self._visual.list_images(key, PageRequest(limit=1))).total))
        return tuple(holdings)

    async def delete_all(self) -> int:
        """Delete all of it from the back end, and what it has left over; how many databases went."""
        holdings = await self.backend_databases()
        for holding in holdings:
            with contextlib.suppress(UnknownDatabase):
                async with self._storage.unit():
                    await self._visual.delete_database(holding.key)
        if isinstance(self._visual, OrphanReporter):
            await self._visual.delete_orphans(())
        return len(holdings)

    async def _check_again(self, repair: RepairResult) -> RepairResult:
        """Look again at what the back end has and does not list: it may have been on its way out."""
        if not repair.unlisted:
            return repair
        key = repair.finding.key
        try:
            held = await self._visual.inventory(key)
            known = await self._storage.catalogue.records(key, repair.unlisted)
        except (BackendLost, UnknownDatabase):
            return repair
        return replace(repair, unlisted=tuple(one for one in repair.unlisted if one in held and one not in known))


class _Progress:
    """Adds up what is done."""

    def __init__(self, watch: OnReconcileProgress, places: list[ComparedDatabase]) -> None:
        self._watch = watch
        self._done = 0
        self._total = sum(place.images for place in places)

    def add(self, images: int) -> None:
        self._done += images
        # Images that were added since the start count too.
        self._total = max(self._total, self._done)
        self._watch(self._done, self._total)
