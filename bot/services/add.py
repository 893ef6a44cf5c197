"""Add one picture to a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from bot.adapters.base import VisualSearch
from bot.errors import AlreadyAdded, UnknownDatabase
from bot.models import DatabaseKey, EntityId, ImageRecord, Note, Picture, SlackOrigin
from bot.services.databases import find_database
from bot.storage.base import Storage


def _now() -> datetime:
    return datetime.now(UTC)


class AddService:
    """One use case: keep a picture so that searches find it."""

    def __init__(self, visual: VisualSearch, storage: Storage, clock: Callable[[], datetime] = _now) -> None:
        self._visual = visual
        self._storage = storage
        self._clock = clock

    async def add(
        self,
        key: DatabaseKey,
        picture: Picture,
        jpeg: bytes,
        entity: EntityId,
        note: Note,
        *,
        added_by: str = "",
        origin: SlackOrigin | None = None,
        source_name: str = "",
    ) -> ImageRecord:
        """Add the picture; when this returns, the add survives a crash. ``jpeg`` is the picture as it is kept.

        Raises AlreadyAdded, UnknownDatabase (with a near name, if there is one) and BackendError.
        """
        catalogue = self._storage.catalogue
        try:
            present = await catalogue.find_picture(key, picture.digest)
        except UnknownDatabase:
            await find_database(catalogue, key)
            raise
        if present:
            raise AlreadyAdded(key.name, present.entity)
        fingerprint = await asyncio.to_thread(_fingerprint, picture)
        # The file first: a crash in between leaves a picture that nothing names, never a record without its picture,
        # and the slow part of keeping it holds nobody's lock.
        await self._storage.pictures.put(picture.digest, jpeg)
        async with self._storage.unit():
            data_id = await self._visual.add_image(key, picture, entity, note)
            record = ImageRecord(
                database=key,
                data_id=data_id,
                entity=entity,
                note=note,
                digest=picture.digest,
                source_digest=picture.source_digest,
                fingerprint=fingerprint,
                width=picture.width,
                height=picture.height,
                added_at=self._clock(),
                added_by=added_by,
                source_name=source_name,
                origin=origin,
            )
            await catalogue.add(record)
            # Again, now that the write lock is held: a deletion elsewhere may have just discarded the same picture.
            await self._storage.pictures.put(picture.digest, jpeg)
        return record


def _fingerprint(picture: Picture) -> bytes:
    # OpenCV takes a while to load, and commands that only list must not pay for it.
    from bot.images import fingerprint  # noqa: PLC0415

    return fingerprint.of(picture)
