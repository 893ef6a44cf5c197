"""Add one picture to a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.errors import AlreadyAdded, BotError, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.pictures import Picture
from bot.services.databases import find_database, require_in_both
from bot.storage.ports.storage import Storage
from bot.telemetry.metrics import Metrics, NullMetrics

_NO_METRICS = NullMetrics()


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, eq=False)
class NewImage:
    """A picture to be added, as it is kept (``jpeg``), with all that is known of it."""

    picture: Picture
    jpeg: bytes
    entity: EntityId
    note: Note
    added_by: str = ""
    origin: SlackOrigin | None = None
    source_name: str = ""


AddOutcome = ImageRecord | AlreadyAdded
"""What became of a picture: it was added, or the database had it."""


class AddService:
    """One use case: keep a picture so that searches find it."""

    def __init__(
        self,
        visual: VisualSearch,
        storage: Storage,
        clock: Callable[[], datetime] = _now,
        metrics: Metrics = _NO_METRICS,
    ) -> None:
        self._visual = visual
        self._storage = storage
        self._clock = clock
        self._metrics = metrics

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
        [outcome] = await self.add_all(key, [NewImage(picture, jpeg, entity, note, added_by, origin, source_name)])
        if isinstance(outcome, AlreadyAdded):
            raise outcome
        return outcome

    async def add_all(self, key: DatabaseKey, images: Sequence[NewImage]) -> list[AddOutcome]:
        """Add several in one transaction; what became of each. Raises UnknownDatabase and BackendError."""
        catalogue = self._storage.catalogue
        try:
            present = dict(await catalogue.known_pictures(key, (image.picture.digest for image in images)))
        except UnknownDatabase:
            await find_database(catalogue, key)
            raise
        doubles: list[AlreadyAdded | None] = []
        fresh: list[NewImage] = []
        for image in images:
            digest = image.picture.digest
            doubles.append(AlreadyAdded(key.name, present[digest]) if digest in present else None)
            if digest not in present:
                present[digest] = image.entity
                fresh.append(image)
        kept = iter(await self._add_or_report_duplicate(key, fresh))
        outcomes = [double or next(kept) for double in doubles]
        for outcome in outcomes:
            self._metrics.added("known" if isinstance(outcome, AlreadyAdded) else "added")
        return outcomes

    async def _add_or_report_duplicate(self, key: DatabaseKey, images: Sequence[NewImage]) -> list[AddOutcome]:
        if len(images) > 1 and self._visual.capabilities.needs_public_url:
            # What a service elsewhere has is no part of our transaction: each is confirmed as soon as it is there.
            return [outcome for image in images for outcome in await self._add_or_report_duplicate(key, [image])]
        try:
            return [*await self._store(key, images)] if images else []
        except AlreadyAdded as error:
            # Somebody else was quicker with one of them. Which one shows when each is tried alone.
            if len(images) == 1:
                return [error]
            return [outcome for image in images for outcome in await self._add_or_report_duplicate(key, [image])]

    async def _store(self, key: DatabaseKey, images: Sequence[NewImage]) -> list[ImageRecord]:
        jpegs = {image.picture.digest: image.jpeg for image in images}
        # The files first: a crash in between leaves pictures that nothing names, never a record without its picture,
        # and the slow part of keeping them holds nobody's lock.
        await self._storage.pictures.put_all(jpegs)
        try:
            async with self._storage.unit():
                records = [await self._added(key, image) for image in images]
                # Again, with the write lock held: a deletion elsewhere may have just discarded the same picture.
                await self._storage.pictures.put_all(jpegs)
        except BotError:
            await self._storage.pictures.discard_unused(jpegs)
            raise
        return records

    async def _added(self, key: DatabaseKey, image: NewImage) -> ImageRecord:
        async with require_in_both(self._storage.catalogue, key):
            data_id = await self._visual.add_image(key, image.picture, image.entity, image.note)
        record = await self._record(key, data_id, image)
        await self._storage.catalogue.add(record)
        return record

    async def _record(self, key: DatabaseKey, data_id: DataId, image: NewImage) -> ImageRecord:
        from bot.images.features import fingerprint  # noqa: PLC0415 - OpenCV takes 90 ms, and “--help” imports this module

        picture = image.picture
        known = fingerprint.cached(picture)
        return ImageRecord(
            database=key,
            data_id=data_id,
            entity=image.entity,
            note=image.note,
            digest=picture.digest,
            source_digest=picture.source_digest,
            fingerprint=await asyncio.to_thread(fingerprint.compute, picture) if known is None else known,
            width=picture.width,
            height=picture.height,
            added_at=self._clock(),
            added_by=image.added_by,
            source_name=image.source_name,
            origin=image.origin,
        )
