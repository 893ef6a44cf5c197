"""Adding pictures: batches, duplicates, races, and clean-up after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.memory import MemorySearch
from bot.adapters.port import ImageToAdd
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import AlreadyAdded, BackendDown, BackendLost, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, Note
from bot.domain.pages import PageRequest
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
        async def add_images(self, database: DatabaseKey, images: Sequence[ImageToAdd]) -> tuple[DataId, ...]:
            if images[-1].entity == "late" and not elsewhere:
                quicker = AddService(engine(EmbeddedSearch), storage).add
                one = quicker(KEPT, random_picture(1), b"jpeg", EntityId("quick"), Note())
                # In a context of its own: it is no part of this add's transaction.
                elsewhere.append(asyncio.get_running_loop().create_task(one, context=Context()))
                await elsewhere[0]
            return await super().add_images(database, images)

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


async def test_statements_of_a_batch_do_not_depend_on_its_size(storage: SqlStorage) -> None:
    visual = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=10_000_000)
    await visual.create_database(KEPT)
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1

    async def statements(seeds: range) -> int:
        nonlocal counted
        counted = 0
        batch = [NewImage(random_picture(seed), b"jpeg", EntityId(f"image_{seed}"), Note()) for seed in seeds]
        await AddService(visual, storage).add_all(KEPT, batch)
        return counted

    event.listen(Engine, "before_cursor_execute", count)
    try:
        await statements(range(2))
        assert await statements(range(10, 13)) == await statements(range(20, 36))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert (
        (await storage.catalogue.database(KEPT)).images == (await visual.list_images(KEPT, PageRequest())).total == 21
    )


async def test_refused_batch_leaves_nothing(storage: SqlStorage) -> None:
    visual = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=10_000_000)
    await visual.create_database(KEPT)
    batch = [NewImage(random_picture(seed), b"jpeg", EntityId(f"image_{seed}"), Note()) for seed in range(3)]

    async def refuse() -> None:
        raise BackendDown("no more")

    with pytest.raises(BackendDown):
        await AddService(visual, storage).add_all(KEPT, batch, refuse)
    assert await visual.inventory(KEPT) == frozenset()
    assert (await storage.catalogue.database(KEPT)).images == 0


async def test_ids_of_a_batch_have_the_first_spelling(storage: SqlStorage) -> None:
    visual = MemorySearch()
    await visual.create_database(KEPT)
    adding = AddService(visual, storage)
    await adding.add(KEPT, random_picture(1), b"jpeg", EntityId("VLV-1"), Note())
    written = ("vlv-1", "Pump", "PUMP", "pump", "Vlv-1")
    batch = [NewImage(random_picture(10 + at), b"jpeg", EntityId(name), Note()) for at, name in enumerate(written)]
    assert [one.entity for one in await adding.add_all(KEPT, batch)] == ["VLV-1", "Pump", "Pump", "Pump", "VLV-1"]
