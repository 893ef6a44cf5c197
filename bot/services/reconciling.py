"""Compare the catalogue with a back end, and make them agree: moving to another back end is the same work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from bot.adapters.base import SelfReport, VisualSearch
from bot.errors import BackendLost, UnknownDatabase
from bot.models import DatabaseKey, PageRequest
from bot.services.comparing import EVERYTHING, Comparer, Decode, Finding, Place, Scope
from bot.services.mending import Mender, Mending
from bot.storage.base import Storage

OnProgress = Callable[[int, int], None]
"""Told how many of how many images were dealt with."""


def _ignore(_done: int, _total: int) -> None:
    """For callers that do not watch."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``leftovers``: what lies at the back end and belongs to nobody, a sentence each."""

    findings: tuple[Finding, ...]
    leftovers: tuple[str, ...]
    interrupted: bool

    @property
    def agrees(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.leftovers and all(finding.agrees for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done. ``cleared`` counts the leftovers that went."""

    mendings: tuple[Mending, ...]
    cleared: int
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether both sides agree now."""
        return not self.interrupted and all(mending.complete for mending in self.mendings)


@dataclass(frozen=True, slots=True)
class Holding:
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
        self._mender = Mender(storage, visual, self._comparer)

    async def examine(
        self, scope: Scope = EVERYTHING, *, on_progress: OnProgress = _ignore, stop: asyncio.Event | None = None
    ) -> Report:
        """Compare, and change nothing. Once ``stop`` is set, the rest is left out. Raises BackendError."""
        stop = stop or asyncio.Event()
        places = await self._comparer.places(scope)
        progress = _Progress(on_progress, places)
        findings: list[Finding] = []
        async for finding in self._compared(places, progress, stop):
            unreadable = await self._comparer.unreadable(finding, progress.add, stop)
            findings.append(replace(finding, unreadable=unreadable))
        leftovers: tuple[str, ...] = ()
        if scope.whole and not stop.is_set() and isinstance(self._visual, SelfReport):
            leftovers = await self._visual.leftovers(await self._comparer.recorded())
        return Report(tuple(findings), leftovers, stop.is_set())

    async def mend(
        self, scope: Scope = EVERYTHING, *, on_progress: OnProgress = _ignore, stop: asyncio.Event | None = None
    ) -> Outcome:
        """Compare, and make them agree; whatever interrupts it, a second run goes on.

        Once ``stop`` is set, what is in flight is finished and nothing more begun. Raises ModelMismatch, BackendError.
        """
        stop = stop or asyncio.Event()
        places = await self._comparer.places(scope)
        progress = _Progress(on_progress, places)
        mendings = [
            await self._mender.mend(finding, progress.add, stop)
            async for finding in self._compared(places, progress, stop)
        ]
        if stop.is_set():
            return Outcome(tuple(mendings), 0, interrupted=True)
        cleared = 0
        if scope.whole and isinstance(self._visual, SelfReport):
            cleared = await self._visual.clear_leftovers(await self._comparer.recorded())
        return Outcome(tuple([await self._settled(mending) for mending in mendings]), cleared, interrupted=False)

    async def _compared(self, places: list[Place], progress: _Progress, stop: asyncio.Event) -> AsyncIterator[Finding]:
        """One after another, so that each is dealt with as soon as it is looked at."""
        for place in places:
            if stop.is_set():
                return
            finding = await self._comparer.compare(place)
            if finding is not None:
                progress.add(finding.recorded - len(finding.missing))
                yield finding

    async def holdings(self) -> tuple[Holding, ...]:
        """What the back end has of the catalogue's workspaces."""
        holdings: list[Holding] = []
        for workspace in await self._comparer.workspaces():
            for name in await self._visual.list_databases(workspace):
                key = DatabaseKey(workspace, name)
                holdings.append(Holding(key, (await self._visual.list_images(key, PageRequest(limit=1))).total))
        return tuple(holdings)

    async def clear(self) -> int:
        """Delete all of it from the back end, and what it has left over; how many databases went."""
        holdings = await self.holdings()
        for holding in holdings:
            with contextlib.suppress(UnknownDatabase):
                async with self._storage.unit():
                    await self._visual.delete_database(holding.key)
        if isinstance(self._visual, SelfReport):
            await self._visual.clear_leftovers(())
        return len(holdings)

    async def _settled(self, mending: Mending) -> Mending:
        """Look again at what the back end has and does not list: it may have been on its way out."""
        if not mending.unlisted:
            return mending
        key = mending.finding.key
        try:
            held = await self._visual.inventory(key)
            known = await self._storage.catalogue.records(key, mending.unlisted)
        except (BackendLost, UnknownDatabase):
            return mending
        return replace(mending, unlisted=tuple(one for one in mending.unlisted if one in held and one not in known))


class _Progress:
    """Adds up what is done."""

    def __init__(self, watch: OnProgress, places: list[Place]) -> None:
        self._watch = watch
        self._done = 0
        self._total = sum(place.images for place in places)

    def add(self, images: int) -> None:
        self._done += images
        # Images that were added since the start count too.
        self._total = max(self._total, self._done)
        self._watch(self._done, self._total)
