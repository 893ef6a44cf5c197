"""Databases of API keys that were taken away are found, and addresses without a database are forgotten."""

from __future__ import annotations

from bot.api.keys import workspace_of
from bot.app.services import unused_api_databases
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search

IN_USE, TAKEN_AWAY = "a-key-that-is-in-use", "a-key-that-was-taken-away"


async def test_databases_of_keys_that_were_taken_away_are_named(storage: SqlStorage) -> None:
    visual = embedded_search(storage)
    keys = [DatabaseKey(workspace_of(key), DatabaseName("parts")) for key in (IN_USE, TAKEN_AWAY)]
    for key in keys:
        await visual.create_database(key)
    settings = Settings.from_mapping({"VSEARCH_API_KEYS": IN_USE})
    assert await unused_api_databases(settings, storage) == (keys[1],)
    await visual.delete_database(keys[1])
    assert await unused_api_databases(settings, storage) == ()


async def test_addresses_of_deleted_databases_are_forgotten(storage: SqlStorage) -> None:
    visual = embedded_search(storage)
    key = DatabaseKey(workspace_of(IN_USE), DatabaseName("parts"))
    await visual.create_database(key)
    for number in range(250):
        await storage.api_images.put(key, DataId(f"d{number}"), EntityId("valve"), "https://example.com/a.jpg")
    assert await storage.api_images.forget_deleted_databases() == 0
    await visual.delete_database(key)
    assert await storage.api_images.forget_deleted_databases() == 250
    assert await storage.api_images.urls(key, [DataId("d1")]) == {}
