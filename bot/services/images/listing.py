"""List a database's images."""

from __future__ import annotations

import asyncio
import difflib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.channels import VisibleOrigins
from bot.domain.errors import UnknownEntity
from bot.domain.identifiers import DatabaseKey, EntityId
from bot.domain.pages import MAX_PAGE, Order, Page, PageRequest
from bot.services.databases import find_database
from bot.storage.ports.catalogue import Catalogue

MAX_SCANNED = 2000
"""Images whose ids are compared. Of a larger database, those whose ids start with the same letters."""

_SAME_START = 2
_CUTOFF = 0.75


class ListingService:
    """Reads the images of a database from the catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def page(
        self, key: DatabaseKey, request: PageRequest, visible: VisibleOrigins | None = None
    ) -> Page[ImageRecord]:
        """Return a page of records, with ``visible`` only of images that have such an origin.

        Raises UnknownDatabase (with a similar name, if there is one) and InvalidInput.
        """
        await find_database(self._catalogue, key)
        return await self._catalogue.page(key, request, visible)

    async def entity(self, key: DatabaseKey, entity: EntityId) -> tuple[ImageRecord, ...]:
        """Return all images of an entity, and those that were given it at one of their origins, oldest first.

        Raises UnknownDatabase and UnknownEntity.
        """
        await find_database(self._catalogue, key)
        records = await self._catalogue.of_entity(key, entity, or_given=True)
        if not records:
            raise UnknownEntity(entity, key.name)
        return records

    async def all_records(
        self, key: DatabaseKey, order: Order = Order.NEWEST_FIRST, entity_prefix: str = ""
    ) -> AsyncIterator[ImageRecord]:
        """Iterate over all records, reading a page at a time. Raises the same errors as ``page``."""
        request = PageRequest(limit=MAX_PAGE, order=order, entity_prefix=entity_prefix)
        page = await self.page(key, request)
        while True:
            for record in page.items:
                yield record
            if page.token is None:
                return
            page = await self._catalogue.page(
                key, PageRequest(limit=MAX_PAGE, token=page.token, order=order, entity_prefix=entity_prefix)
            )

    async def similar_entities(self, info: DatabaseInfo, entity: EntityId) -> Mapping[str, Sequence[ImageRecord]]:
        """Return the keys of ids that somebody may have meant, most similar first, with images that were given them."""
        prefix = "" if info.images <= MAX_SCANNED else entity.key[:_SAME_START]
        images: dict[str, list[ImageRecord]] = defaultdict(list)
        scanned = 0
        async for record in self.all_records(info.key, Order.NEWEST_FIRST, prefix):
            for key in {record.entity.key, *(origin.entity.key for origin in record.origins if origin.entity)}:
                images[key].append(record)
            scanned += 1
            if scanned == MAX_SCANNED:
                break
        # Comparing long ids that begin alike takes 0.3 s.
        number = max(1, len(images))
        near = await asyncio.to_thread(difflib.get_close_matches, entity.key, images, number, _CUTOFF)
        return {key: images[key] for key in near}
