"""Pictures lent for a few minutes, readable by every process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from bot.storage.pictures.relayed import SqlRelayedPictures
from bot.storage.ports.pictures import RelayedPictures
from bot.storage.sql.schema.tables import relayed_pictures
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import BEGINNING, Clock
from tests.fixtures.storages import StoragePlace

FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def relayed(storage: SqlStorage, clock: Clock) -> SqlRelayedPictures:
    return SqlRelayedPictures(storage._database, clock)


async def kept(storage: SqlStorage) -> int:
    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(relayed_pictures)).scalar_one()

    return await storage._database.read(count)


async def test_picture_is_returned_until_it_expires(relayed: SqlRelayedPictures, clock: Clock) -> None:
    port: RelayedPictures = relayed
    await port.put("one", b"jpeg", BEGINNING + FIVE_MINUTES)
    clock.now = BEGINNING + timedelta(seconds=299)
    assert await port.get("one") == b"jpeg"
    clock.now = BEGINNING + FIVE_MINUTES
    with pytest.raises(KeyError):
        await port.get("one")
    with pytest.raises(KeyError):
        await port.get("another")


async def test_another_process_can_read_the_picture(
    relayed: SqlRelayedPictures, storage_place: StoragePlace, clock: Clock
) -> None:
    await relayed.put("one", b"jpeg", BEGINNING + FIVE_MINUTES)
    other = await storage_place.open()
    try:
        assert await SqlRelayedPictures(other._database, clock).get("one") == b"jpeg"
    finally:
        await other.close()


async def test_picture_can_be_fetched_while_its_unit_is_open(storage: SqlStorage, storage_place: StoragePlace) -> None:
    other = await storage_place.open()
    try:
        async with storage.unit():
            await storage.relayed.put("one", b"jpeg", datetime.now(UTC) + FIVE_MINUTES)
            assert await other.relayed.get("one") == b"jpeg"
            assert await storage.relayed.get("one") == b"jpeg"
    finally:
        await other.close()


async def test_expired_pictures_are_deleted(relayed: SqlRelayedPictures, storage: SqlStorage, clock: Clock) -> None:
    await relayed.put("one", b"jpeg", BEGINNING + FIVE_MINUTES)
    clock.now = BEGINNING + timedelta(minutes=3)
    await relayed.put("two", b"jpeg", clock.now + FIVE_MINUTES)
    assert await kept(storage) == 2
    clock.now = BEGINNING + FIVE_MINUTES
    await relayed.put("three", b"jpeg", clock.now + FIVE_MINUTES)
    assert await kept(storage) == 2
    clock.now = BEGINNING + timedelta(hours=1)
    await relayed.purge()
    assert await kept(storage) == 0
