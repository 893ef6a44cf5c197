"""Makes a back end agree with the catalogue: what is missing is added from the stored pictures, what nobody knows goes.

Nothing is noted down of how far it is. Each image keeps its name, so that looking again shows what is left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import BackendError, BackendRefused, DatabaseExists, PictureRefused, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.domain.pages import MAX_PAGE, PageRequest
from bot.services.databases import require_in_both
from bot.services.maintenance.comparison import (
    WORKERS,
    Comparer,
    DatabaseDifference,
    DatabaseLocation,
    OnImageSeen,
    SkippedImage,
    in_batches,
)
from bot.storage.ports.storage import Storage

ADD_BATCH = 16
"""Images in one transaction, where the back end's rows are in our SQL. For a service elsewhere it is one image:
what was given to it is noted at once."""

DELETE_BATCH = 100

MAX_FAILURES_IN_A_ROW = 5
"""Failures in a row that end it. One is bad luck, and the next run takes that image up again."""


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What was done for one database.

    ``failed`` counts the images that the back end did not take just now. ``unlisted`` are those that it has, and
    neither the catalogue nor its own listing: it alone can clear them away.
    """

    finding: DatabaseDifference
    added: int
    removed: int
    failed: int
    left_out: tuple[SkippedImage, ...]
    unlisted: tuple[DataId, ...]
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether both sides agree now."""
        return not (self.failed or self.left_out or self.unlisted or self.interrupted)


@dataclass(slots=True)
class _RepairProgress:
    """How far a mending is."""

    stop: asyncio.Event
    seen: OnImageSeen
    added: int = 0
    removed: int = 0
    failed: int = 0
    failures_in_a_row: int = 0
    left_out: list[SkippedImage] = field(default_factory=list)
    unlisted: tuple[DataId, ...] = ()
    interrupted: bool = False

    def should_continue(self) -> bool:
        """Whether the next few may be begun."""
        self.interrupted = self.interrupted or self.stop.is_set()
        return not self.interrupted

    def record_failure(self, error: BackendError, images: int) -> None:
        """Put up with it, or raise it."""
        self.failed += images
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise error

    def result(self, finding: DatabaseDifference) -> RepairResult:
        return RepairResult(
            finding, self.added, self.removed, self.failed, tuple(self.left_out), self.unlisted, self.interrupted
        )


class Repairer:
    """Mends one database after another, in whichever back end it is given."""

    def __init__(self, storage: Storage, visual: VisualSearch, comparer: Comparer) -> None:
        self._storage = storage
        self._visual = visual
        self._comparer = comparer
        self._together = 1 if visual.capabilities.needs_public_url else ADD_BATCH

    async def repair(self, finding: DatabaseDifference, seen: OnImageSeen, stop: asyncio.Event) -> RepairResult:
        """Make both sides agree. Raises ModelMismatch, and BackendError where going on is of no use."""
        progress = _RepairProgress(stop, seen)
        key = finding.key
        try:
            if finding.location is DatabaseLocation.BACK_END:
                await self._delete(finding, progress)
                return progress.result(finding)
            if finding.location is DatabaseLocation.LOST:
                await self._forget_lost(key)
            if finding.location is not DatabaseLocation.BOTH:
                await self._create(key)
            async with require_in_both(self._storage.catalogue, key):
                await self._remove_all(key, finding.orphans, progress)
                await self._add_all(key, finding.missing, progress)
        except UnknownDatabase:
            # Somebody deleted it meanwhile, on both sides.
            pass
        return progress.result(finding)

    async def _delete(self, finding: DatabaseDifference, progress: _RepairProgress) -> None:
        """A database that the catalogue doesn't know, if that is still so."""
        with contextlib.suppress(UnknownDatabase):
            await self._storage.catalogue.database(finding.key)
            return
        async with self._storage.unit():
            await self._visual.delete_database(finding.key)
        progress.removed += finding.held

    async def _forget_lost(self, key: DatabaseKey) -> None:
        with contextlib.suppress(UnknownDatabase):
            async with self._storage.unit():
                await self._visual.delete_database(key)

    async def _create(self, key: DatabaseKey) -> None:
        await self._storage.catalogue.database(key)
        with contextlib.suppress(DatabaseExists):
            async with self._storage.unit():
                await self._visual.create_database(key)

    async def _remove_all(self, key: DatabaseKey, orphans: tuple[DataId, ...], progress: _RepairProgress) -> None:
        entities = await self._entities(key, frozenset(orphans)) if orphans else {}
        for some in in_batches(entities, DELETE_BATCH):
            if not progress.should_continue():
                return
            known = await self._storage.catalogue.records(key, some)
            async with self._storage.unit():
                gone = [
                    await self._visual.delete_images(key, entities[data_id], data_id)
                    for data_id in some
                    if data_id not in known
                ]
            progress.removed += sum(gone)
        progress.unlisted = tuple(data_id for data_id in orphans if data_id not in entities)

    async def _entities(self, key: DatabaseKey, wanted: frozenset[DataId]) -> dict[DataId, EntityId]:
        """Under what the back end lists these images."""
        found: dict[DataId, EntityId] = {}
        request: PageRequest | None = PageRequest(limit=MAX_PAGE)
        while request:
            page = await self._visual.list_images(key, request)
            found.update((image.data_id, image.entity) for image in page.items if image.data_id in wanted)
            request = PageRequest(limit=MAX_PAGE, token=page.token) if page.token else None
        return found

    async def _add_all(self, key: DatabaseKey, missing: tuple[DataId, ...], progress: _RepairProgress) -> None:
        groups = in_batches(missing, self._together)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(WORKERS):
                    workers.create_task(self._run_worker(key, groups, progress))
        except BaseExceptionGroup as failures:
            # One failed and the others were cancelled with it: the first tells why.
            raise failures.exceptions[0] from None

    async def _run_worker(self, key: DatabaseKey, groups: Iterator[list[DataId]], progress: _RepairProgress) -> None:
        """Take the next few until there are none: the workers share what is left."""
        for some in groups:
            if not progress.should_continue():
                return
            await self._add(key, some, progress)
            progress.seen(len(some))

    async def _add(self, key: DatabaseKey, some: list[DataId], progress: _RepairProgress) -> None:
        catalogue = self._storage.catalogue
        # Again: moving thousands takes its time, and some may have been deleted since.
        records = await catalogue.records(key, some)
        given: list[DataId] = []
        left_out: list[SkippedImage] = []
        try:
            async with self._storage.unit():
                for record in records.values():
                    refused = await self._add_image(record)
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
            progress.record_failure(error, len(records))
            return
        progress.added += len(known)
        progress.left_out += left_out
        progress.failures_in_a_row = 0

    async def _add_image(self, record: ImageRecord) -> SkippedImage | None:
        """Give one image to the back end; or why that can't be."""
        picture = await self._comparer.load_picture(record)
        if isinstance(picture, SkippedImage):
            return picture
        try:
            await self._visual.add_image(record.database, picture, record.entity, record.note, record.data_id)
        except PictureRefused as error:
            return SkippedImage(record.data_id, record.entity, str(error))
        return None
