"""Delete an entity's images."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.adapters.port import VisualSearch
from bot.domain.batch_size import BatchSize
from bot.domain.catalogue import ImageRecord, OriginScope
from bot.domain.errors import UnknownDatabase, UnknownEntity
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.services.databases import find_database
from bot.storage.ports.storage import Storage

OnDeleted = Callable[[int], None]
"""Receives the number of images that are deleted so far."""

TARGET_S = 0.04
"""Time that the transaction of one batch should take, because every other write waits for it."""


def _no_progress(_done: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """The result of a deletion: the number of images, and the deleted catalogue records."""

    images: int
    records: tuple[ImageRecord, ...]


class DeleteService:
    """Deletes images from the catalogue, the back end and the picture store."""

    def __init__(self, visual: VisualSearch, storage: Storage) -> None:
        self._visual = visual
        self._storage = storage

    async def delete(
        self,
        key: DatabaseKey,
        entity: EntityId,
        data_id: DataId | None = None,
        *,
        mark: str = "",
        on_progress: OnDeleted = _no_progress,
    ) -> Deletion:
        """Delete all images of the entity, only ``data_id``, or only those that it had at a mark of the catalogue.

        Many images are deleted in several short transactions. Raises UnknownEntity, UnknownDatabase and BackendError.
        """
        await find_database(self._storage.catalogue, key)
        batched = Deletion(0, ())
        if data_id is None and self._visual.capabilities.deletes_single_images:
            batched = await self._delete_in_batches(key, entity, mark, on_progress)
        # Without a mark, this also finds images that only the back end has.
        rest = Deletion(0, ()) if mark else await self._delete_now(key, entity, (data_id,))
        if mark and not self._visual.capabilities.deletes_single_images:
            rest = await self._delete_now(key, entity, (None,))
        records = batched.records + rest.records
        images = batched.images + max(rest.images, len(rest.records))
        if not images:
            raise UnknownEntity(entity, key.name)
        await self._storage.pictures.discard_unused({record.digest for record in records})
        await self._storage.deleted.scrub()
        return Deletion(images, records)

    async def delete_origins(self, record: ImageRecord, scope: OriginScope) -> bool:
        """Take those of an image's origins away that are in the scope, and the image with the last one.

        Return whether the image was deleted. Raises UnknownDatabase and BackendError.
        """
        key, data_id = record.database, record.data_id
        async with self._storage.unit():
            # This takes the lock that adds of origins wait for. One that comes later adds the picture as a new image.
            outcome = await self._storage.catalogue.remove_origins(key, data_id, scope)
            is_last = outcome.removed > 0 and outcome.left == 0
            if is_last:
                with contextlib.suppress(UnknownDatabase):
                    # Somebody may have given the image another id since the record was read.
                    await self._visual.delete_images(key, outcome.entity or record.entity, data_id)
        if is_last:
            await self._storage.pictures.discard_unused({record.digest})
        return is_last

    async def _delete_in_batches(
        self, key: DatabaseKey, entity: EntityId, mark: str, on_progress: OnDeleted
    ) -> Deletion:
        records: list[ImageRecord] = []
        size = BatchSize(TARGET_S, first=8, fewest=1, most=200)
        while data_ids := await self._storage.catalogue.ids_of_entity(key, entity, size.rows, mark):
            began = time.monotonic()
            deleted = await self._delete_now(key, entity, data_ids)
            records += deleted.records
            on_progress(len(records))
            size.record(len(data_ids), time.monotonic() - began)
        return Deletion(len(records), tuple(records))

    async def _delete_now(self, key: DatabaseKey, entity: EntityId, data_ids: tuple[DataId | None, ...]) -> Deletion:
        """Delete images in one transaction; None stands for all images of the entity."""
        images, records = 0, list[ImageRecord]()
        async with self._storage.unit():
            for data_id in data_ids:
                # If the back end doesn't have the database, there is nothing to delete there.
                with contextlib.suppress(UnknownDatabase):
                    images += await self._visual.delete_images(key, entity, data_id)
                records += await self._storage.catalogue.remove(key, entity, data_id)
        return Deletion(images, tuple(records))
