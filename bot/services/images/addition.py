"""Add pictures to a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.adapters.port import BatchAdding, ImageToAdd, VisualSearch
from bot.domain.catalogue import ImageRecord, Origin, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import AlreadyAdded, BackendDown, BotError, PictureBeingRemoved, UnknownDatabase, UserError
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.pictures import Picture
from bot.services.databases import find_database, require_in_both
from bot.services.images.file_names import earlier_entity, is_same_name
from bot.services.images.new_image import AddOutcome, DeletedInSlack, NewImage
from bot.storage.ports.storage import Storage
from bot.telemetry.metrics import Metrics, NullMetrics

_NO_METRICS = NullMetrics()

ATTEMPTS = 5
"""Attempts at adding a picture that other processes add and delete at the same time."""


def _now() -> datetime:
    return datetime.now(UTC)


Confirm = Callable[[], Awaitable[None]]
"""Runs last in the transaction of an add, under the write lock. Whatever it raises undoes the add."""


async def always() -> None:
    """Confirm every add."""


class _ImageGone(BotError):
    """The image was deleted while it was getting an origin, or the origin was."""


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
        named_automatically: bool = False,
        posted: bool = False,
        confirm: Confirm = always,
    ) -> ImageRecord:
        """Add one picture. Once this returns, the image survives a crash.

        An id that the database has keeps its first spelling, which the record returned has.

        Args:
            key: The database.
            picture: The decoded picture.
            jpeg: The JPEG to store.
            entity: Id of what the image shows.
            note: Text about the image.
            added_by: Slack user id, or empty.
            origin: The Slack file and message that the image comes from, if any.
            source_name: The name of the file that was read, or empty.
            named_automatically: Whether the id was made from the file's name.
            posted: Whether ``added_by`` posted the message of ``origin``.
            confirm: Runs last in the transaction.

        Raises AlreadyAdded if the database has the picture, whose image then has this origin too; UnknownDatabase
        (with a similar name, if there is one), BackendError, and the errors of ``confirm``.
        """
        image = NewImage(
            picture,
            jpeg,
            entity,
            note,
            added_by,
            origin,
            source_name,
            named_automatically=named_automatically,
            posted=posted,
        )
        [outcome] = await self.add_all(key, [image], confirm)
        if isinstance(outcome, UserError):
            raise outcome
        return outcome

    async def add_all(
        self, key: DatabaseKey, images: Sequence[NewImage], confirm: Confirm = always
    ) -> list[AddOutcome]:
        """Add several images in one transaction, and return an outcome for each.

        An image that the database has already gets another origin, unless it has this one. A hosted back end gets one
        transaction for each image. Raises UnknownDatabase, BackendError and the errors of ``confirm``.
        """
        # A hosted service takes no part in our transaction, so commit each image as soon as the service has it.
        size = 1 if self._visual.capabilities.needs_public_url else max(len(images), 1)
        try:
            outcomes = [
                outcome
                for start in range(0, len(images), size)
                for outcome in await self._add_batch(key, images[start : start + size], confirm)
            ]
        except UnknownDatabase:
            await find_database(self._storage.catalogue, key)
            raise
        for outcome in outcomes:
            if not isinstance(outcome, DeletedInSlack):
                self._metrics.added("known" if isinstance(outcome, AlreadyAdded) else "added")
        return outcomes

    async def prepare(self, key: DatabaseKey, pictures: Sequence[Picture]) -> None:
        """Compute what ``add_all`` needs of these very pictures, if they are new. Raises BackendError."""
        known = await self._storage.catalogue.known_pictures(key, [picture.digest for picture in pictures])
        if isinstance(self._visual, BatchAdding):
            new = {one.digest: one for one in pictures if one.digest not in known}
            await self._visual.prepare_images(key, list(new.values()))

    async def _add_batch(self, key: DatabaseKey, images: Sequence[NewImage], confirm: Confirm) -> list[AddOutcome]:
        conflict: BotError | None = None
        for _ in range(ATTEMPTS if len(images) == 1 else 1):
            try:
                return await self._store(key, images, confirm)
            except (AlreadyAdded, _ImageGone, PictureBeingRemoved) as error:
                # Another process added or deleted one of them since we looked, or is removing its stored picture.
                conflict = error
        if len(images) == 1:
            raise BackendDown("other processes keep adding and deleting the same picture") from conflict
        # Add them one by one to find out which.
        return [outcome for image in images for outcome in await self._add_batch(key, [image], confirm)]

    async def _store(self, key: DatabaseKey, images: Sequence[NewImage], confirm: Confirm) -> list[AddOutcome]:
        standing = [await self._without_deleted(key, image) for image in images]
        stored = iter(await self._store_all(key, [image for image in standing if image], confirm))
        return [
            next(stored) if kept else DeletedInSlack(image.entity) for image, kept in zip(images, standing, strict=True)
        ]

    async def _without_deleted(self, key: DatabaseKey, image: NewImage) -> NewImage | None:
        """Return an image without exported origins that were deleted in Slack since; None if none is left."""
        left = tuple([origin for origin in image.exported if not await self._is_deleted(key, origin)])
        if left == image.exported:
            return image
        return replace(image, exported=left) if left else None

    async def _is_deleted(self, key: DatabaseKey, origin: Origin) -> bool:
        slack = origin.slack
        return slack is not None and await self._storage.inbox.is_deleted(
            key.workspace, slack.file_id, slack.channel, slack.message_ts
        )

    async def _store_all(self, key: DatabaseKey, images: Sequence[NewImage], confirm: Confirm) -> list[AddOutcome]:
        digests = [image.picture.digest for image in images]
        known = set(await self._storage.catalogue.known_pictures(key, digests))
        # Of a picture that is there twice, the first is new, and the others are further origins.
        new = {image.picture.digest: image for image in reversed(images) if image.picture.digest not in known}
        spelled = await self._spellings(key, list(new.values()))
        written = await self._written_otherwise(key, [image.entity for image in new.values()], spelled)
        async with self._storage.unit():
            # Store the pictures before the transaction begins, which would wait for disk or bucket. If the unit is
            # rolled back they are removed again, and after a crash the sweep finds them.
            await self._storage.pictures.put_all({digest: image.jpeg for digest, image in new.items()})
            added = [image for image in images if new.get(image.picture.digest) is image]
            named = [
                replace(image, entity=spelled[image.entity.key], written=written.get(image.entity)) for image in added
            ]
            stored = await self._add_to_back_end(key, named)
            records = {id(image): record for image, record in zip(added, stored, strict=True)}
            await self._storage.catalogue.add(*records.values())
            # After the new images, which write nothing until the first of these begins the transaction.
            outcomes: list[AddOutcome] = [
                records.get(id(image)) or await self._add_origin(key, image) for image in images
            ]
            for origin in (origin for image in images for origin in image.exported):
                # Deletions wait for this transaction from here on, and find the origin afterwards.
                if await self._is_deleted(key, origin):
                    raise _ImageGone
            await confirm()
        return outcomes

    async def _spellings(self, key: DatabaseKey, images: Sequence[NewImage]) -> dict[str, EntityId]:
        """Return how each id is written in the database from now on, by its key: its first spelling stays."""
        written = {image.entity.key: image.entity for image in images}
        earlier = {image: entity for image in images if (entity := _earlier_id(image))}
        stored = await self._storage.catalogue.spellings(key, [*written.values(), *earlier.values()]) if written else {}
        known = {entity: spelling for entity, spelling in stored.items() if entity in written}
        for image, entity in earlier.items():
            if entity.key in stored and image.entity.key not in known:
                known |= await self._if_same_file(key, image, entity)
        return written | known

    async def _written_otherwise(
        self, key: DatabaseKey, typed: Sequence[EntityId], spelled: Mapping[str, EntityId]
    ) -> dict[EntityId, EntityId]:
        """Return the ids that their origins keep as typed: the database's spelling is only in closed conversations."""
        kept: dict[EntityId, EntityId] = {}
        for entity in dict.fromkeys(typed):
            spelling = spelled[entity.key]
            if spelling != entity and spelling.is_same(entity):
                images = await self._storage.catalogue.of_entity(key, spelling)
                if not any(_is_open(origin, spelling) for image in images for origin in image.origins):
                    kept[entity] = entity
        return kept

    async def _if_same_file(self, key: DatabaseKey, image: NewImage, earlier: EntityId) -> dict[str, EntityId]:
        """Return an id that an earlier version made, if it was made from the same file name."""
        found = await self._storage.catalogue.of_entity(key, earlier)
        same = (one for one in found if is_same_name(one.source_name, image.source_name))
        first = next(same, None)
        return {} if first is None else {image.entity.key: first.entity}

    async def _add_origin(self, key: DatabaseKey, image: NewImage) -> AlreadyAdded:
        entity = image.entity
        for origin in image.origins_at(self._clock()):
            added = await self._storage.catalogue.add_origin(key, image.picture.digest, origin)
            if added is None:
                raise _ImageGone
            entity = added
        return AlreadyAdded(key.name, entity)

    async def _add_to_back_end(self, key: DatabaseKey, images: Sequence[NewImage]) -> list[ImageRecord]:
        """Add images to the back end, and return their records for the catalogue."""
        # The note goes with its origin, and back ends can't change one, so they get none.
        no_note = Note()
        async with require_in_both(self._visual, self._storage.catalogue, key):
            data_ids = (
                await self._visual.add_images(key, [ImageToAdd(one.picture, one.entity, no_note) for one in images])
                if images and isinstance(self._visual, BatchAdding)
                else [await self._visual.add_image(key, one.picture, one.entity, no_note) for one in images]
            )
        return [await self._build_record(key, *added) for added in zip(data_ids, images, strict=True)]

    async def _build_record(self, key: DatabaseKey, data_id: DataId, image: NewImage) -> ImageRecord:
        from bot.images.features import fingerprint  # noqa: PLC0415 - OpenCV takes 90 ms, and “--help” imports this module

        picture = image.picture
        cached = fingerprint.cached(picture)
        return ImageRecord(
            database=key,
            data_id=data_id,
            entity=image.entity,
            digest=picture.digest,
            source_digest=picture.source_digest,
            fingerprint=await asyncio.to_thread(fingerprint.compute, picture) if cached is None else cached,
            width=picture.width,
            height=picture.height,
            origins=image.origins_at(self._clock()),
            named_automatically=image.named_automatically,
        )


def _earlier_id(image: NewImage) -> EntityId | None:
    """Return the id that an earlier version made from the same file name, if it was another one."""
    return earlier_entity(image.source_name, image.entity) if image.named_automatically else None


def _is_open(origin: Origin, spelling: EntityId) -> bool:
    """Return whether an id was written so where everybody in the workspace can read it."""
    wrote = origin.entity is None or origin.entity == spelling
    return wrote and (origin.slack is None or origin.slack.kind is ChannelKind.PUBLIC)
