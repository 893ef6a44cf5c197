"""Delete an entity's images."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import UnknownDatabase, UnknownEntity
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.services.databases import find_database
from bot.storage.ports.storage import Storage


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

    async def delete(self, key: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> Deletion:
        """Delete all images of the entity, or only ``data_id``.

        Raises UnknownEntity, UnknownDatabase and BackendError.
        """
        await find_database(self._storage.catalogue, key)
        async with self._storage.unit():
            images = 0
            # If the back end doesn't have the database, there is nothing to delete there.
            with contextlib.suppress(UnknownDatabase):
                images = await self._visual.delete_images(key, entity, data_id)
            records = await self._storage.catalogue.remove(key, entity, data_id)
        if not images and not records:
            raise UnknownEntity(entity, key.name)
        await self._storage.pictures.discard_unused({record.digest for record in records})
        return Deletion(max(images, len(records)), records)
