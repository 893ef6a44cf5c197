"""Repair a back end: add missing images from the stored pictures, and delete images that the catalogue doesn't have.

No progress is stored. Images keep their data ids, so that a new comparison shows the remaining work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import BackendError, BackendRefused, DatabaseExists, PictureRefused, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
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
"""Images added in one transaction, for a back end in our SQL database. A hosted service gets one image at a time, so
that the ledger records each image as soon as the service has it."""

DELETE_BATCH = 100

MAX_FAILURES_IN_A_ROW = 5
"""Consecutive failures that end a repair. A single image that failed is added by the next run."""


@dataclass(frozen=True, slots=True)
class RepairResult:
    """The result of repairing one database.

    Attributes:
        difference: What the comparison found.
        added: Images added to the back end.
        removed: Images deleted from the back end.
        failed: Images that the back end failed to add. The next run tries them again.
        skipped: Images that can't be added.
        unlisted: Orphans that the back end has but doesn't list. Only the back end can delete them.
        interrupted: The repair was stopped early.
    """

    difference: DatabaseDifference
    added: int
    removed: int
    failed: int
    skipped: tuple[SkippedImage, ...]
    unlisted: tuple[DataId, ...]
    interrupted: bool

    @property
    def complete(self) -> bool:
        """Whether both sides agree now."""
        return not (self.failed or self.skipped or self.unlisted or self.interrupted)


@dataclass(slots=True)
class _RepairProgress:
    """The progress of repairing one database."""

    stop: asyncio.Event
    on_seen: OnImageSeen
    added: int = 0
    removed: int = 0
    failed: int = 0
    failures_in_a_row: int = 0
    skipped: list[SkippedImage] = field(default_factory=list)
    unlisted: tuple[DataId, ...] = ()
    interrupted: bool = False

    def should_continue(self) -> bool:
        """Return whether to start the next batch."""
        self.interrupted = self.interrupted or self.stop.is_set()
        return not self.interrupted

    def record_failure(self, error: BackendError, images: int) -> None:
        """Count a failed batch, and raise the error after MAX_FAILURES_IN_A_ROW of them."""
        self.failed += images
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
            raise error

    def result(self, difference: DatabaseDifference) -> RepairResult:
        return RepairResult(
            difference, self.added, self.removed, self.failed, tuple(self.skipped), self.unlisted, self.interrupted
        )


class Repairer:
    """Repairs the databases of one back end."""

    def __init__(self, storage: Storage, visual: VisualSearch, comparer: Comparer) -> None:
        self._storage = storage
        self._visual = visual
        self._comparer = comparer
        self._batch_size = 1 if visual.capabilities.needs_public_url else ADD_BATCH

    async def repair(self, difference: DatabaseDifference, on_seen: OnImageSeen, stop: asyncio.Event) -> RepairResult:
        """Make the back end match the catalogue. Raises ModelMismatch, and BackendError if continuing is pointless."""
        progress = _RepairProgress(stop, on_seen)
        key = difference.key
        try:
            if difference.location is DatabaseLocation.BACK_END:
                await self._delete(difference, progress)
                return progress.result(difference)
            if difference.location is DatabaseLocation.LOST:
                await self._delete_lost(key)
            if difference.location is not DatabaseLocation.BOTH:
                await self._create(key)
            async with require_in_both(self._visual, self._storage.catalogue, key):
                await self._remove_all(key, difference.orphans, progress)
                await self._add_all(key, difference.missing, progress)
        except UnknownDatabase:
            # The database was deleted on both sides in the meantime.
            pass
        return progress.result(difference)

    async def _delete(self, difference: DatabaseDifference, progress: _RepairProgress) -> None:
        """Delete a database that the catalogue doesn't have, unless it was created in the meantime."""
        with contextlib.suppress(UnknownDatabase):
            await self._storage.catalogue.database(difference.key)
            return
        async with self._storage.unit():
            await self._visual.delete_database(difference.key)
        progress.removed += difference.held

    async def _delete_lost(self, key: DatabaseKey) -> None:
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
        for batch in in_batches(entities, DELETE_BATCH):
            if not progress.should_continue():
                return
            known = await self._storage.catalogue.records(key, batch)
            async with self._storage.unit():
                deleted = [
                    await self._visual.delete_images(key, entities[data_id], data_id)
                    for data_id in batch
                    if data_id not in known
                ]
            progress.removed += sum(deleted)
        progress.unlisted = tuple(data_id for data_id in orphans if data_id not in entities)

    async def _entities(self, key: DatabaseKey, wanted: frozenset[DataId]) -> dict[DataId, EntityId]:
        """Return the entities under which the back end lists these images."""
        found: dict[DataId, EntityId] = {}
        request: PageRequest | None = PageRequest(limit=MAX_PAGE)
        while request:
            page = await self._visual.list_images(key, request)
            found.update((image.data_id, image.entity) for image in page.items if image.data_id in wanted)
            request = PageRequest(limit=MAX_PAGE, token=page.token) if page.token else None
        return found

    async def _add_all(self, key: DatabaseKey, missing: tuple[DataId, ...], progress: _RepairProgress) -> None:
        batches = in_batches(missing, self._batch_size)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(WORKERS):
                    workers.create_task(self._run_worker(key, batches, progress))
        except BaseExceptionGroup as failures:
            # The first exception is the cause. The group cancelled the other workers because of it.
            raise failures.exceptions[0] from None

    async def _run_worker(self, key: DatabaseKey, batches: Iterator[list[DataId]], progress: _RepairProgress) -> None:
        """Add batches until none are left. All workers share the iterator."""
        for batch in batches:
            if not progress.should_continue():
                return
            await self._add(key, batch, progress)
            progress.on_seen(len(batch))

    async def _add(self, key: DatabaseKey, batch: list[DataId], progress: _RepairProgress) -> None:
        catalogue = self._storage.catalogue
        # Read the records again: a repair may take long, and images may have been deleted since the comparison.
        records = await catalogue.records(key, batch)
        added: list[DataId] = []
        skipped: list[SkippedImage] = []
        try:
            async with self._storage.unit():
                for record in records.values():
                    skipped_image = await self._add_image(record)
                    if skipped_image:
                        skipped.append(skipped_image)
                    else:
                        added.append(record.data_id)
                # Check again under the write lock: an image that was just deleted must not come back.
                known = await catalogue.records(key, added) if added else {}
                for data_id in set(added) - set(known):
                    await self._visual.delete_images(key, records[data_id].entity, data_id)
                for data_id in set(added) & set(known):
                    if known[data_id].entity != records[data_id].entity:
                        await self._visual.rename_images(key, [data_id], known[data_id].entity)
        except BackendRefused:
            # A wrong key, an empty account or a wrong set-up fails for every image.
            raise
        except BackendError as error:
            progress.record_failure(error, len(records))
            return
        progress.added += len(known)
        progress.skipped += skipped
        progress.failures_in_a_row = 0

    async def _add_image(self, record: ImageRecord) -> SkippedImage | None:
        """Add one image to the back end, or return why that is impossible."""
        picture = await self._comparer.load_picture(record)
        if isinstance(picture, SkippedImage):
            return picture
        try:
            await self._visual.add_image(record.database, picture, record.entity, Note(), record.data_id)
        except PictureRefused as error:
            return SkippedImage(record.data_id, record.entity, str(error))
        return None
