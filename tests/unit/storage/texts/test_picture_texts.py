"""The texts of images: claims, words, and that a text goes with its image."""

from __future__ import annotations

import asyncio
import hashlib
from contextvars import Context
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.catalogue import ImageRecord, OriginScope
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.storage.catalogue.texts import picture_texts
from bot.storage.catalogue.texts.picture_texts import CLAIM, MAX_ATTEMPTS, SqlPictureTexts
from bot.storage.sql.schema.tables import image_texts, origin_words
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock
from tests.fakes.texts import text_of
from tests.fixtures.records import image_record
from tests.unit.storage.texts.images import BRAND, PARTS, TEAM

BEGINNING = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLATE = "Pump 12.345-B0 Überdruck 水泵型号"


@pytest.fixture
def clock() -> Clock:
    return Clock(BEGINNING)


@pytest.fixture
def texts(storage: SqlStorage, clock: Clock) -> SqlPictureTexts:
    return SqlPictureTexts(storage._database, clock)


async def added(storage: SqlStorage, number: int, key: DatabaseKey = PARTS) -> ImageRecord:
    record = image_record(
        database=key,
        data_id=DataId(f"{key.name}-{number}"),
        entity=EntityId(f"entity_{number}"),
        digest=hashlib.sha256(b"%d" % number).hexdigest(),
        added_at=BEGINNING + timedelta(seconds=number),
    )
    await storage.catalogue.add(record)
    return record


async def read_next(texts: SqlPictureTexts, line: str, confidence: float = 0.99) -> None:
    """Claim the next picture, and store a line as its text."""
    claim = await texts.claim()
    assert claim is not None
    await texts.finish(claim, text_of(line, confidence=confidence))


async def rows(storage: SqlStorage) -> tuple[int, int]:
    """Return the number of texts and of words in all databases."""

    def work(connection: Connection) -> tuple[int, int]:
        counts = [connection.execute(select(func.count()).select_from(table)) for table in (image_texts, origin_words)]
        return counts[0].scalar_one(), counts[1].scalar_one()

    return await storage._database.read(work)


async def test_text_is_stored_once_for_every_image_of_the_picture(storage: SqlStorage, texts: SqlPictureTexts) -> None:
    first = await added(storage, 1)
    claim = await texts.claim()
    assert claim is not None
    assert claim.digest == first.digest
    assert await texts.claim() is None, "another process would read the same picture"
    await added(storage, 1, BRAND)
    await texts.finish(claim, text_of(PLATE))
    assert await texts.of(BRAND, [DataId("brand-1")]) == {DataId("brand-1"): text_of(PLATE)}
    assert await texts.of_picture(PARTS, first.digest) == text_of(PLATE)
    assert await texts.claim() is None


async def test_picture_that_was_read_before_is_not_read_again(storage: SqlStorage, texts: SqlPictureTexts) -> None:
    await added(storage, 1)
    await read_next(texts, PLATE)
    await added(storage, 1, BRAND)
    assert await texts.claim() is None
    assert await texts.of(BRAND, [DataId("brand-1")]) == {DataId("brand-1"): text_of(PLATE)}
    assert (await texts.counts()).read == 2


async def test_new_picture_is_claimed_behind_many_that_were_read_before(
    storage: SqlStorage, texts: SqlPictureTexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_texts, "COPIES_AT_ONCE", 2)
    for number in range(5):
        await added(storage, number)
        await read_next(texts, PLATE)
    for number in range(5):
        await added(storage, number, BRAND)
    new = await added(storage, 9, BRAND)
    claim = await texts.claim()
    assert claim is not None
    assert claim.digest == new.digest
    assert (await texts.counts()).read == 10


async def test_deleted_images_leave_no_text(storage: SqlStorage, texts: SqlPictureTexts) -> None:
    records = [await added(storage, number, key) for number, key in ((1, PARTS), (2, PARTS), (3, BRAND))]
    for _ in records:
        await read_next(texts, PLATE)
    await storage.catalogue.remove(PARTS, records[0].entity)
    await storage.catalogue.remove_origins(
        PARTS, records[1].data_id, OriginScope(TEAM, before=BEGINNING + timedelta(days=1))
    )
    await storage.catalogue.delete_database(BRAND)
    assert await rows(storage) == (0, 0)


async def test_text_of_an_image_that_was_deleted_while_it_was_read_is_not_stored(
    storage: SqlStorage, texts: SqlPictureTexts
) -> None:
    record = await added(storage, 1)
    claim = await texts.claim()
    assert claim is not None
    await storage.catalogue.remove(PARTS, record.entity)
    await texts.finish(claim, text_of(PLATE))
    assert await rows(storage) == (0, 0)


async def test_reading_and_deletions_do_not_wait_for_each_other(storage: SqlStorage, texts: SqlPictureTexts) -> None:
    record, other = await added(storage, 1), await added(storage, 2)
    async with storage.unit():
        await storage.catalogue.remove(PARTS, record.entity)
        # In a transaction of its own. SQLite has one writer, so there the claim comes after the deletion.
        claiming = asyncio.create_task(texts.claim(), context=Context())
        await asyncio.wait([claiming], timeout=0.3)
    claim = await claiming
    assert claim is not None
    assert claim.digest == other.digest


async def test_picture_that_ends_every_process_is_unreadable_in_the_end(
    storage: SqlStorage, texts: SqlPictureTexts, clock: Clock
) -> None:
    await added(storage, 1)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        claim = await texts.claim()
        assert claim is not None
        assert claim.attempts == attempt
        clock.pass_by(CLAIM.total_seconds())
    assert await texts.claim() is None
    counts = await texts.counts()
    assert (counts.unreadable, counts.waiting) == (1, 0)


async def test_unreadable_picture_is_not_claimed_again(storage: SqlStorage, texts: SqlPictureTexts) -> None:
    await added(storage, 1)
    claim = await texts.claim()
    assert claim is not None
    await texts.give_up(claim)
    await added(storage, 1, BRAND)
    assert await texts.claim() is None
    assert (await texts.counts()).unreadable == 2


async def test_released_picture_is_claimed_again(storage: SqlStorage, texts: SqlPictureTexts) -> None:
    await added(storage, 1)
    claim = await texts.claim()
    assert claim is not None
    await texts.release(claim)
    assert await texts.claim() == claim
