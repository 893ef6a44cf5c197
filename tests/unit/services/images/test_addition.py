"""Adding pictures: batches, duplicates, races, and clean-up after a failure."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.memory import MemorySearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import AlreadyAdded, BackendLost, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, Note
from bot.domain.pages import PageRequest
from bot.domain.pictures import Picture
from bot.services.images.addition import AddService
from bot.services.images.new_image import NewImage
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, random_picture

KEPT, GONE = (DatabaseKey(LOCAL_WORKSPACE, DatabaseName(name)) for name in ("kept", "gone"))


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    for key in (KEPT, GONE):
        await storage.catalogue.create_database(key, "")
    return storage


async def test_picture_is_discarded_if_the_back_end_lost_the_database(storage: SqlStorage) -> None:
    picture = random_picture(1)
    with pytest.raises(BackendLost):
        await AddService(MemorySearch(), storage).add(GONE, picture, b"jpeg", EntityId("one"), Note())
    with pytest.raises(KeyError):
        await storage.pictures.get(picture.digest)


async def test_picture_of_another_database_is_kept_after_a_failed_add(storage: SqlStorage) -> None:
    visual, picture = MemorySearch(), random_picture(1)
    await visual.create_database(KEPT)
    adding = AddService(visual, storage)
    await adding.add(KEPT, picture, b"jpeg", EntityId("one"), Note())
    with pytest.raises(BackendLost):
        await adding.add(GONE, picture, b"jpeg", EntityId("one"), Note())
    assert await storage.pictures.get(picture.digest) == b"jpeg"


async def test_database_that_is_created_again_during_an_add_is_not_lost(storage: SqlStorage) -> None:
    class CreatedAgain(MemorySearch):
        async def add_image(self, database: DatabaseKey, *arguments: Any, **more: Any) -> DataId:
            try:
                return await super().add_image(database, *arguments, **more)
            finally:
                await self.create_database(database)

    with pytest.raises(UnknownDatabase):
        await AddService(CreatedAgain(), storage).add(GONE, random_picture(1), b"jpeg", EntityId("one"), Note())


async def test_duplicates_in_batch_and_database_are_reported(storage: SqlStorage) -> None:
    visual = MemorySearch()
    await visual.create_database(KEPT)
    adding = AddService(visual, storage)
    await adding.add(KEPT, random_picture(1), b"one", EntityId("one"), Note())
    batch = [NewImage(random_picture(seed), b"jpeg", EntityId(f"image_{seed}"), Note()) for seed in (2, 1, 3, 2)]
    outcomes = await adding.add_all(KEPT, batch)
    assert [outcome.entity for outcome in outcomes] == ["image_2", "one", "image_3", "image_2"]
    assert [isinstance(outcome, AlreadyAdded) for outcome in outcomes] == [False, True, False, True]
    assert (await storage.catalogue.database(KEPT)).images == 3


async def test_concurrent_duplicate_does_not_affect_the_rest_of_the_batch(storage: SqlStorage) -> None:
    elsewhere: list[asyncio.Task[ImageRecord]] = []

    class Raced(EmbeddedSearch):
        async def add_image(
            self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
        ) -> DataId:
            if entity == "late" and not elsewhere:
                quicker = AddService(engine(EmbeddedSearch), storage).add
                one = quicker(KEPT, random_picture(1), b"jpeg", EntityId("quick"), Note())
                # In a context of its own: it is no part of this add's transaction.
                elsewhere.append(asyncio.get_running_loop().create_task(one, context=Context()))
                await elsewhere[0]
            return await super().add_image(database, picture, entity, note, data_id)

    def engine(kind: type[EmbeddedSearch]) -> EmbeddedSearch:
        return kind(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=10_000_000)

    await engine(EmbeddedSearch).create_database(KEPT)
    batch = [
        NewImage(random_picture(seed), b"jpeg", EntityId(name), Note()) for seed, name in ((1, "mine"), (2, "late"))
    ]
    doubled, kept = await AddService(engine(Raced), storage).add_all(KEPT, batch)
    assert isinstance(doubled, AlreadyAdded)
    assert (doubled.entity, kept.entity) == ("quick", "late")
    assert (await storage.catalogue.database(KEPT)).images == 2
    assert (await engine(EmbeddedSearch).list_images(KEPT, PageRequest())).total == 2
