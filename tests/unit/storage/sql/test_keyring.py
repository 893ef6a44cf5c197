"""Shared keys, and pictures uploaded to Slack."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.domain.catalogue import ImageRecord
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
DIGESTS = [f"{number:064x}" for number in range(600)]


async def test_key_is_stable_and_differs_by_name(storage_place: StoragePlace, storage: SqlStorage) -> None:
    key = await storage.keyring.key("media")
    assert len(key) == 32
    assert await storage.keyring.key("media") == key
    assert await storage.keyring.key("other") != key
    again = await storage_place.open()
    try:
        assert await again.keyring.key("media") == key
    finally:
        await again.close()


async def test_concurrent_first_requests_get_the_same_key(storage_place: StoragePlace, storage: SqlStorage) -> None:
    other = await storage_place.open()
    try:
        keys = await asyncio.gather(*(one.keyring.key("media") for one in (storage, other) * 5))
    finally:
        await other.close()
    assert len(set(keys)) == 1


async def test_uploads_are_stored_by_workspace(storage: SqlStorage) -> None:
    for digest in DIGESTS[:2]:
        await storage.thumbnails.put(TEAM, digest, f"F{digest[-1]}")
    await storage.thumbnails.put(TEAM, DIGESTS[1], "F9")
    await storage.thumbnails.put(OTHER_TEAM, DIGESTS[0], "F7")
    assert await storage.thumbnails.get(TEAM, DIGESTS) == {DIGESTS[0]: "F0", DIGESTS[1]: "F9"}
    assert await storage.thumbnails.get(OTHER_TEAM, DIGESTS[:1]) == {DIGESTS[0]: "F7"}
    assert await storage.thumbnails.get(TEAM, []) == {}
    # The upload that F9 replaced is deleted from Slack.
    assert [removal.name for removal in await storage.thumbnails.claim_removals(TEAM, 10)] == ["F1"]
    assert await storage.thumbnails.abandon(TEAM) == 3
    assert await storage.thumbnails.abandon(TEAM) == 0
    assert await storage.thumbnails.get(TEAM, DIGESTS) == {}
    assert await storage.thumbnails.get(OTHER_TEAM, DIGESTS) == {DIGESTS[0]: "F7"}


async def test_upload_is_unused_if_no_database_of_its_workspace_has_the_picture(storage: SqlStorage) -> None:
    for key in (PARTS, DatabaseKey(OTHER_TEAM, PARTS.name)):
        await storage.catalogue.create_database(key)
        await storage.catalogue.add(record(key, DIGESTS[0]))
    for digest in DIGESTS[:3]:
        await storage.thumbnails.put(TEAM, digest, f"F{digest[-1]}")
    assert await storage.thumbnails.unused(TEAM, 10) == {DIGESTS[1]: "F1", DIGESTS[2]: "F2"}
    assert len(await storage.thumbnails.unused(TEAM, 1)) == 1
    await storage.catalogue.remove(PARTS, EntityId("valve"))
    # The transaction that deletes the last image queues the removal of its upload.
    assert [removal.name for removal in await storage.thumbnails.claim_removals(TEAM, 10)] == ["F0"]
    assert await storage.thumbnails.queue_unused(TEAM, 10) == 2
    assert {removal.name for removal in await storage.thumbnails.claim_removals(TEAM, 10)} == {"F1", "F2"}
    assert await storage.thumbnails.unused(OTHER_TEAM, 10) == {}


def record(key: DatabaseKey, digest: str) -> ImageRecord:
    return image_record(
        database=key,
        data_id=DataId(digest[:8]),
        digest=digest,
        added_at=datetime.now(UTC),
    )
