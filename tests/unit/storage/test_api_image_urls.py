"""The URLs that our own server of the hosted API stores, on both kinds of databases."""

from __future__ import annotations

import pytest

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.storages import StoragePlace

TEAM = WorkspaceId("T1")
PARTS, BRAND = DatabaseKey(TEAM, DatabaseName("parts")), DatabaseKey(TEAM, DatabaseName("brand"))
VALVE, PUMP = EntityId("valve"), EntityId("pump")
ONE, TWO = DataId("one"), DataId("two")


async def test_urls_are_stored_and_deleted_with_entity_or_database(storage_place: StoragePlace) -> None:
    storage = await storage_place.open()
    kept = storage.api_images
    try:
        await kept.put(PARTS, ONE, VALVE, "https://example.com/阀门.png")
        await kept.put(PARTS, TWO, PUMP, "https://example.com/pump.png")
        await kept.put(BRAND, ONE, VALVE, "https://example.com/brand.png")
        assert await kept.urls(PARTS, [ONE, DataId("unknown")]) == {ONE: "https://example.com/阀门.png"}
        await kept.forget_entity(PARTS, VALVE)
        assert list(await kept.urls(PARTS, [ONE, TWO])) == [TWO]
        await kept.forget_database(PARTS)
        assert await kept.urls(PARTS, [ONE, TWO]) == {}
        assert list(await kept.urls(BRAND, [ONE])) == [ONE]
    finally:
        await storage.close()


async def put_and_fail(storage: SqlStorage) -> None:
    async with storage.unit():
        await storage.api_images.put(PARTS, ONE, VALVE, "https://example.com/valve.png")
        raise LookupError


async def test_failed_unit_stores_no_url(storage_place: StoragePlace) -> None:
    storage = await storage_place.open()
    try:
        with pytest.raises(LookupError):
            await put_and_fail(storage)
        assert await storage.api_images.urls(PARTS, [ONE]) == {}
    finally:
        await storage.close()
