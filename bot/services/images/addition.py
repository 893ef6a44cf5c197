"""Add pictures to a database."""

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
    """A picture to add, its metadata, and the JPEG to store (``jpeg``)."""

    picture: Picture
    jpeg: bytes
    entity: EntityId
    note: Note
    added_by: str = ""
    origin: SlackOrigin | None = None
    source_name: str = ""


AddOutcome = ImageRecord | AlreadyAdded
"""The record of a new image, or AlreadyAdded if the database has the picture."""


class AddService:
    """Stores pictures in the catalogue, the picture store and the search back end."""

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
        """Add one picture. Once this returns, the image survives a crash.

        Args:
            key: The database.
            picture: The decoded picture.
            jpeg: The JPEG to store.
            entity: Id of what the image shows.
            note: Text about the image.
            added_by: Slack user id, or empty.
            origin: The Slack file and message that the image comes from, if any.
            source_name: The name of the file that was read, or empty.

        Raises AlreadyAdded, UnknownDatabase (with a similar name, if there is one) and BackendError.
        """
        [outcome] = await self.add_all(key, [NewImage(picture, jpeg, entity, note, added_by, origin, source_name)])
        if isinstance(outcome, AlreadyAdded):
            raise outcome
        return outcome

    async def add_all(self, key: DatabaseKey, images: Sequence[NewImage]) -> list[AddOutcome]:
        """Add several images in one transaction, and return an outcome for each.

        A hosted back end gets one transaction for each image. Raises UnknownDatabase and BackendError.
        """
        catalogue = self._storage.catalogue
        try:
            present = dict(await catalogue.known_pictures(key, (image.picture.digest for image in images)))
        except UnknownDatabase:
            await find_database(catalogue, key)
            raise
        duplicates: list[AlreadyAdded | None] = []
        new_images: list[NewImage] = []
        for image in images:
            digest = image.picture.digest
            duplicates.append(AlreadyAdded(key.name, present[digest]) if digest in present else None)
            if digest not in present:
                present[digest] = image.entity
                new_images.append(image)
        stored = iter(await self._add_or_report_duplicate(key, new_images))
        outcomes = [duplicate or next(stored) for duplicate in duplicates]
        for outcome in outcomes:
            self._metrics.added("known" if isinstance(outcome, AlreadyAdded) else "added")
        return outcomes

    async def _add_or_report_duplicate(self, key: DatabaseKey, images: Sequence[NewImage]) -> list[AddOutcome]:
        if len(images) > 1 and self._visual.capabilities.needs_public_url:
            # A hosted service takes no part in our transaction, so commit each image as soon as the service has it.
            return [outcome for image in images for outcome in await self._add_or_report_duplicate(key, [image])]
        try:
            return [*await self._store(key, images)] if images else []
        except AlreadyAdded as error:
            # Another process added one of them. Add them one by one to find out which.
            if len(images) == 1:
                return [error]
            return [outcome for image in images for outcome in await self._add_or_report_duplicate(key, [image])]

    async def _store(self, key: DatabaseKey, images: Sequence[NewImage]) -> list[ImageRecord]:
        jpegs = {image.picture.digest: image.jpeg for image in images}
        # Store the files before the records. After a crash there may be unused files, but never a record without its
        # file. This also keeps the slow writes outside the write lock.
        await self._storage.pictures.put_all(jpegs)
        try:
            async with self._storage.unit():
                records = [await self._add_image(key, image) for image in images]
                # Store them again under the write lock: a concurrent deletion may have discarded the same picture.
                await self._storage.pictures.put_all(jpegs)
        except BotError:
            await self._storage.pictures.discard_unused(jpegs)
            raise
        return records

    async def _add_image(self, key: DatabaseKey, image: NewImage) -> ImageRecord:
        async with require_in_both(self._storage.catalogue, key):
            data_id = await self._visual.add_image(key, image.picture, image.entity, image.note)
        record = await self._build_record(key, data_id, image)
        await self._storage.catalogue.add(record)
        return record

    async def _build_record(self, key: DatabaseKey, data_id: DataId, image: NewImage) -> ImageRecord:
        from bot.images.features import fingerprint  # noqa: PLC0415 - OpenCV takes 90 ms, and “--help” imports this module

        picture = image.picture
        cached = fingerprint.cached(picture)
        return ImageRecord(
            database=key,
            data_id=data_id,
            entity=image.entity,
            note=image.note,
            digest=picture.digest,
            source_digest=picture.source_digest,
            fingerprint=await asyncio.to_thread(fingerprint.compute, picture) if cached is None else cached,
            width=picture.width,
            height=picture.height,
            added_at=self._clock(),
            added_by=image.added_by,
            source_name=image.source_name,
            origin=image.origin,
        )
