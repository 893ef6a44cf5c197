"""Makes a back end agree with the catalogue: what is missing is added from the stored pictures, what nobody knows goes.

Nothing is noted down of how far it is. Each image keeps its name, so that looking again shows what is left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.adapters.base import VisualSearch
from bot.errors import BackendError, BackendRefused, DatabaseExists, PictureRefused, UnknownDatabase
from bot.models import MAX_PAGE, DatabaseKey, DataId, EntityId, ImageRecord, PageRequest
from bot.services.comparing import WORKERS, Comparer, Finding, LeftOut, Presence, Seen, in_groups
from bot.services.databases import kept_by_both
from bot.storage.base import Storage

TOGETHER = 16
"""Images in one transaction, where the back end's rows are in our SQL. For a service elsewhere it is one image:
what was given to it is noted at once."""

REMOVED_TOGETHER = 100

PATIENCE = 5
"""Failures in a row that end it. One is bad luck, and the next run takes that image up again."""


@dataclass(frozen=True, slots=True)
class Mending:
    """What was done for one database.

    ``failed`` counts the images that the back end did not take just now. ``unlisted`` are those that it has, and
    neither the catalogue nor its own listing: it alone can clear them away.
    """

    finding: Finding
    added: int
    removed: int
    failed: int
    left_out: tuple[LeftOut, ...]
    unlisted: tuple[DataId, ...]
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether both sides agree now."""
        return not (self.failed or self.left_out or self.unlisted or self.interrupted)


@dataclass(slots=True)
class _Tally:
    """How far a mending is."""

    stop: asyncio.Event
    seen: Seen
    added: int = 0
    removed: int = 0
    failed: int = 0
    failures_in_a_row: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    unlisted: tuple[DataId, ...] = ()
    interrupted: bool = False

    def goes_on(self) -> bool:
        """Whether the next few may be begun."""
        self.interrupted = self.interrupted or self.stop.is_set()
        return not self.interrupted

    def failed_with(self, error: BackendError, images: int) -> None:
        """Put up with it, or raise it."""
        self.failed += images
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= PATIENCE:
            raise error

    def result(self, finding: Finding) -> Mending:
        return Mending(
            finding, self.added, self.removed, self.failed, tuple(self.left_out), self.unlisted, self.interrupted
        )


class Mender:
    """Mends one database after another, in whichever back end it is given."""

    def __init__(self, storage: Storage, visual: VisualSearch, comparer: Comparer) -> None:
        self._storage = storage
        self._visual = visual
        self._comparer = comparer
        self._together = 1 if visual.capabilities.needs_public_url else TOGETHER

    async def mend(self, finding: Finding, seen: Seen, stop: asyncio.Event) -> Mending:
        """Make both sides agree. Raises ModelMismatch, and BackendError where going on is of no use."""
        tally = _Tally(stop, seen)
        key = finding.key
        try:
            if finding.presence is Presence.BACK_END:
                await self._delete(finding, tally)
                return tally.result(finding)
            if finding.presence is Presence.LOST:
                await self._write_off(key)
            if finding.presence is not Presence.BOTH:
                await self._create(key)
            async with kept_by_both(self._storage.catalogue, key):
                await self._remove_all(key, finding.orphans, tally)
                await self._add_all(key, finding.missing, tally)
        except UnknownDatabase:
            # Somebody deleted it meanwhile, on both sides.
            pass
        return tally.result(finding)

    async def _delete(self, finding: Finding, tally: _Tally) -> None:
        """A database that the catalogue doesn't know, if that is still so."""
        with contextlib.suppress(UnknownDatabase):
            await self._storage.catalogue.database(finding.key)
            return
        async with self._storage.unit():
            await self._visual.delete_database(finding.key)
        tally.removed += finding.held

    async def _write_off(self, key: DatabaseKey) -> None:
        with contextlib.suppress(UnknownDatabase):
            async with self._storage.unit():
                await self._visual.delete_database(key)

    async def _create(self, key: DatabaseKey) -> None:
        await self._storage.catalogue.database(key)
        with contextlib.suppress(DatabaseExists):
            async with self._storage.unit():
                await self._visual.create_database(key)

    async def _remove_all(self, key: DatabaseKey, orphans: tuple[DataId, ...], tally: _Tally) -> None:
        entities = await self._entities(key, frozenset(orphans)) if orphans else {}
        for some in in_groups(entities, REMOVED_TOGETHER):
            if not tally.goes_on():
                return
            known = await self._storage.catalogue.records(key, some)
            async with self._storage.unit():
                gone = [
                    await self._visual.delete_images(key, entities[data_id], data_id)
                    for data_id in some
                    if data_id not in known
                ]
            tally.removed += sum(gone)
        tally.unlisted = tuple(data_id for data_id in orphans if data_id not in entities)

    async def _entities(self, key: DatabaseKey, wanted: frozenset[DataId]) -> dict[DataId, EntityId]:
        """Under what the back end lists these images."""
        found: dict[DataId, EntityId] = {}
        request: PageRequest | None = PageRequest(limit=MAX_PAGE)
        while request:
            page = await self._visual.list_images(key, request)
            found.update((image.data_id, image.entity) for image in page.items if image.data_id in wanted)
            request = PageRequest(limit=MAX_PAGE, token=page.token) if page.token else None
        return found

    async def _add_all(self, key: DatabaseKey, missing: tuple[DataId, ...], tally: _Tally) -> None:
        groups = in_groups(missing, self._together)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(WORKERS):
                    workers.create_task(self._work(key, groups, tally))
        except BaseExceptionGroup as failures:
            # One failed and the others were cancelled with it: the first tells why.
            raise failures.exceptions[0] from None

    async def _work(self, key: DatabaseKey, groups: Iterator[list[DataId]], tally: _Tally) -> None:
        """Take the next few until there are none: the workers share what is left."""
        for some in groups:
            if not tally.goes_on():
                return
            await self._add(key, some, tally)
            tally.seen(len(some))

    async def _add(self, key: DatabaseKey, some: list[DataId], tally: _Tally) -> None:
        catalogue = self._storage.catalogue
        # Again: moving thousands takes its time, and some may have been deleted since.
        records = await catalogue.records(key, some)
        given: list[DataId] = []
        left_out: list[LeftOut] = []
        try:
            async with self._storage.unit():
                for record in records.values():
                    refused = await self._give(record)
                    if refused:
                        left_out.append(refused)
                    else:
                        given.append(record.data_id)
                # And again, with the write lock held: what was deleted a moment ago must not come back.
                known = await catalogue.records(key, given) if given else {}
                for data_id in set(given) - set(known):
                    await self._visual.delete_images(key, records[data_id].entity, data_id)
        except BackendRefused:
            # The key, the money, the set-up: it will not go better with the next image.
            raise
        except BackendError as error:
            tally.failed_with(error, len(records))
            return
        tally.added += len(known)
        tally.left_out += left_out
        tally.failures_in_a_row = 0

    async def _give(self, record: ImageRecord) -> LeftOut | None:
        """Give one image to the back end; or why that can't be."""
        picture = await self._comparer.stored(record)
        if isinstance(picture, LeftOut):
            return picture
        try:
            await self._visual.add_image(record.database, picture, record.entity, record.note, record.data_id)
        except PictureRefused as error:
            return LeftOut(record.data_id, record.entity, str(error))
        return None
