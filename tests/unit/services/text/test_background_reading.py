"""Reading stored pictures in the background, on each kind of database."""

from __future__ import annotations

import asyncio

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.errors import BackendDown
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import decode_stored, encode_jpeg
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.deletion import DeleteService
from bot.services.text.background_reading import BackgroundReading
from bot.services.text.find import FindService
from bot.services.text.found_words import WordSource
from bot.services.text.query_texts import QueryTexts
from bot.services.text.ranker import StoredTextRanker
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import random_picture
from tests.fakes.jobs import eventually
from tests.fakes.texts import FakeTextReader, text_of

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
PICTURES = [random_picture(seed) for seed in range(3)]


@pytest.fixture
async def adder(storage: SqlStorage) -> AddService:
    visual = MemorySearch()
    await DatabaseService(visual, storage).create(PARTS)
    return AddService(visual, storage)


async def add(adder: AddService, picture: Picture, entity: str) -> Picture:
    """Add a picture, and return it as it is stored: a JPEG, so with other pixels."""
    jpeg = encode_jpeg(picture)
    await adder.add(PARTS, picture, jpeg, EntityId(entity), Note())
    return decode_stored(jpeg)


async def test_stored_pictures_are_read_and_found(storage: SqlStorage, adder: AddService) -> None:
    stored = [await add(adder, picture, f"part_{number}") for number, picture in enumerate(PICTURES)]
    reader = FakeTextReader({stored[1].digest: text_of("Pump 12.345-B")})
    reader.unreadable.add(stored[2].digest)
    reading = BackgroundReading(storage, reader, decode_stored)
    assert await reading.progress() == ("text in pictures: 0 of 3 read",)
    while await reading.read_next():
        pass
    assert sorted(reader.read_digests) == sorted(picture.digest for picture in stored)
    counts = await reading.counts()
    assert (counts.read, counts.unreadable, counts.waiting) == (2, 1, 0)
    assert await reading.progress() == ()
    service = FindService(storage.words, storage.texts, storage.catalogue)
    [found] = (await service.find([PARTS], "12345b pump valve", limit=5)).matches
    assert found.record.entity == "part_1"
    assert [(one.source, one.text) for one in found.passages] == [(WordSource.PICTURE, "Pump 12.345-B")]
    assert (found.agreeing, found.words) == (2, 3)


async def test_stored_reading_of_a_picture_comes_before_another_one(storage: SqlStorage, adder: AddService) -> None:
    """Two readings of one picture may differ, and would make it no copy of itself."""
    await add(adder, PICTURES[0], "pump")
    queries = QueryTexts(FakeTextReader({PICTURES[0].digest: text_of("BRAVO", "JUICE")}))
    await queries.read(PICTURES[0])
    ranker = StoredTextRanker(storage.texts, queries)
    assert await ranker.text_of(PARTS, PICTURES[0]) == text_of("BRAVO", "JUICE")
    claim = await storage.texts.claim()
    assert claim is not None
    await storage.texts.finish(claim, text_of("BRAVU", "JUISE"))
    assert await ranker.text_of(PARTS, PICTURES[0]) == text_of("BRAVU", "JUISE")


async def test_picture_added_later_and_picture_given_back_are_read(storage: SqlStorage, adder: AddService) -> None:
    reader = FakeTextReader()
    reading = BackgroundReading(storage, reader, decode_stored)
    stored = [await add(adder, PICTURES[0], "first")]
    given_back = await storage.texts.claim()
    assert given_back is not None
    stored.append(await add(adder, PICTURES[1], "second"))
    assert await reading.read_next()
    await storage.texts.release(given_back)
    assert await reading.read_next()
    assert not await reading.read_next()
    assert sorted(reader.read_digests) == sorted(picture.digest for picture in stored)


async def test_picture_that_was_interrupted_is_read_again(storage: SqlStorage, adder: AddService) -> None:
    stored = await add(adder, PICTURES[0], "first")
    reader = FakeTextReader({stored.digest: text_of("valve")})
    reader.may_read.clear()
    reading = BackgroundReading(storage, reader, decode_stored)
    task = asyncio.create_task(reading.read_next())
    await eventually(lambda: reader.read_digests)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    reader.may_read.set()
    again = BackgroundReading(storage, reader, decode_stored)
    assert await again.read_next()
    assert (await again.counts()).read == 1


async def test_broken_picture_store_is_not_the_pictures_fault(
    storage: SqlStorage, adder: AddService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(adder, PICTURES[0], "first")
    reading = BackgroundReading(storage, FakeTextReader(), decode_stored)

    async def fail(digest: str) -> bytes:
        raise BackendDown(f"no bucket for {digest}")

    with monkeypatch.context() as broken:
        broken.setattr(storage.pictures, "get", fail)
        with pytest.raises(BackendDown):
            await reading.read_next()
    assert await reading.read_next()
    assert (await reading.counts()).read == 1


async def test_reading_waits_while_searches_run(storage: SqlStorage, adder: AddService) -> None:
    for number, picture in enumerate(PICTURES[:2]):
        await add(adder, picture, f"part_{number}")
    busy, reader = [True], FakeTextReader()
    reading = BackgroundReading(storage, reader, decode_stored, lambda: busy[0])
    task = asyncio.create_task(reading.run(first_delay_s=0, interval_s=60))
    await eventually(lambda: reader.read_digests)
    await asyncio.sleep(0.3)
    assert len(reader.read_digests) == 1
    busy[0] = False
    await eventually(lambda: len(reader.read_digests) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_deleted_picture_leaves_nothing_to_find(storage: SqlStorage, adder: AddService) -> None:
    stored = await add(adder, PICTURES[0], "first")
    reader = FakeTextReader({stored.digest: text_of("Pump")})
    await BackgroundReading(storage, reader, decode_stored).read_next()
    search = FindService(storage.words, storage.texts, storage.catalogue)
    assert (await search.find([PARTS], "pump", limit=5)).matches
    await DeleteService(adder._visual, storage).delete(PARTS, EntityId("first"))
    assert not (await search.find([PARTS], "pump", limit=5)).matches
