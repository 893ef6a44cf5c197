"""The services that add and delete images, and the origins that they leave in the catalogue."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import AlreadyAdded
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.jobs import JobKind, NewJob
from bot.domain.pages import PageRequest
from bot.services.channels.collection import CollectService, FileWithdrawn, SharedImage
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.deletion import DeleteService
from bot.services.images.new_image import NewImage
from bot.services.maintenance.removal import RemovalService
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search, random_picture
from tests.fixtures.storages import StoragePlace

TEAM = WorkspaceId("T1")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Harness:
    """Adds and shares images on a day that the test sets."""

    def __init__(self, storage: SqlStorage) -> None:
        self.storage = storage
        self.visual = embedded_search(storage)
        self.day = 0
        self.additions = AddService(self.visual, storage, lambda: BEGINNING + timedelta(days=self.day))
        self.collecting = CollectService(self.additions, storage)
        self.databases = DatabaseService(self.visual, storage)
        self.removal = RemovalService(self.visual, storage, DeleteService(self.visual, storage), self.databases)

    async def add(
        self,
        seed: int,
        file: str = "",
        channel: str = "",
        message: str = "",
        *,
        entity: str = "valve",
        note: str = "",
        user: str = "U1",
        kind: ChannelKind = ChannelKind.PUBLIC,
    ) -> None:
        origin = SlackOrigin(file, channel, message, kind=kind) if file else None
        picture = random_picture(seed)
        with contextlib.suppress(AlreadyAdded):
            await self.additions.add(
                PARTS, picture, b"jpeg", EntityId(entity), Note(note), added_by=user, origin=origin
            )

    async def share(self, seed: int, file: str, channel: str, message: str) -> None:
        """Run the job of a share in a collect channel."""
        await self.storage.inbox.put(NewJob(JobKind.SHARE, TEAM, "", channel, message, (file,), "{}"))
        for job in await self.storage.inbox.claim("worker", 1, 60):
            image = NewImage(random_picture(seed), b"jpeg", EntityId("valve"), Note(), added_by="U1")
            with contextlib.suppress(AlreadyAdded, FileWithdrawn):
                await self.collecting.collect(PARTS, SharedImage(image, SlackOrigin(file, channel, message), job.id))
            await self.storage.inbox.finish(job)

    async def origins(self) -> dict[str, set[tuple[str, str, str, str]]]:
        """Return the origins of each image, after checking that all stores agree on which images there are."""
        records = (await self.storage.catalogue.page(PARTS, PageRequest(limit=1000))).items
        listed = (await self.visual.list_images(PARTS, PageRequest(limit=1000))).items
        assert {record.data_id for record in records} == {image.data_id for image in listed}
        for record in records:
            assert await self.storage.pictures.get(record.digest)
            assert list(record.origins) == sorted(record.origins, key=lambda origin: origin.added_at)
        return {
            record.digest: {
                (str(origin.source), *(origin.slack.place if origin.slack else ("", "", "")))
                for origin in record.origins
            }
            for record in records
        }


@pytest.fixture
async def harness(storage_place: StoragePlace) -> AsyncIterator[Harness]:
    storage = await storage_place.open()
    one = Harness(storage)
    await one.databases.create(PARTS)
    yield one
    await storage.close()


async def only_of(harness: Harness, seed: int) -> set[tuple[str, str, str, str]]:
    """Return the origins of the image of a picture, among others."""
    return (await harness.origins())[random_picture(seed).digest]
