"""Correct images: give them another id or note."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.storage.ports.storage import Storage


class CorrectionService:
    """Changes ids and notes, in the catalogue and the back end together."""

    def __init__(self, visual: VisualSearch, storage: Storage) -> None:
        self._visual = visual
        self._storage = storage

    async def others(
        self, key: DatabaseKey, records: Sequence[ImageRecord], entity: EntityId
    ) -> tuple[ImageRecord, ...]:
        """Return the images of an entity that these would become one with. Raises UnknownDatabase."""
        own = {record.data_id for record in records}
        return tuple(
            record for record in await self._storage.catalogue.of_entity(key, entity) if record.data_id not in own
        )

    async def rename(self, key: DatabaseKey, records: Sequence[ImageRecord], entity: EntityId) -> EntityId:
        """Change the id that these records show, in one transaction, and return it as the database writes it.

        A record that is ``seen_through`` some of its origins changes what those gave, and the id that the image has
        only if it shows that. The caller asks first if other images have the id, since nothing tells the images apart
        afterwards. Raises UnknownDatabase and BackendError.
        """
        written = entity
        if any(not entity.is_same(record.entity) for record in records):
            others = await self.others(key, records, entity)
            written = others[0].entity if others else entity
        known = await self._storage.catalogue.records(key, [record.data_id for record in records])
        data_ids = [
            record.data_id
            for record in records
            if record.data_id in known and known[record.data_id].entity.is_same(record.entity)
        ]
        async with self._storage.unit():
            # The back end first, as for adds and deletions, so that transactions wait for each other in one order. A
            # back end that has lost the database gets the new id when it is repaired.
            with contextlib.suppress(UnknownDatabase):
                await self._visual.rename_images(key, data_ids, written)
            await self._storage.catalogue.rename(records, written)
        return written

    async def set_note(self, records: Sequence[ImageRecord], note: Note) -> int:
        """Replace the notes that these records show, and return how many images have any.

        A record that is ``seen_through`` some of its origins keeps the notes of the others.
        """
        return await self._storage.catalogue.set_note(records, note)
