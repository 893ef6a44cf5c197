"""The catalogue: lookups of images by origin, age and workspace."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.catalogue import ImageRecord, OriginScope, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.records import image_record

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
BRAND = DatabaseKey(TEAM, DatabaseName("brand"))
THEIRS = DatabaseKey(OTHER_TEAM, DatabaseName("parts"))
BEGINNING = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ORIGIN = SlackOrigin("F1", "C1", "1700000000.000100", "https://example.slack.com/archives/C1/p1", ChannelKind.PRIVATE)


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    for key in (PARTS, BRAND, THEIRS):
        await storage.catalogue.create_database(key)
    return storage


def record(number: int, key: DatabaseKey = PARTS, origin: SlackOrigin | None = ORIGIN) -> ImageRecord:
    return image_record(
        database=key,
        data_id=DataId(f"id-{number}"),
        digest=hashlib.sha256(b"%d" % number).hexdigest(),
        fingerprint=bytes(32),
        width=640,
        height=480,
        added_at=BEGINNING + timedelta(seconds=number),
        origin=origin,
    )


async def kept(storage: SqlStorage, *records: ImageRecord) -> tuple[ImageRecord, ...]:
    for one in records:
        await storage.catalogue.add(one)
    return records


@pytest.mark.parametrize("kind", ChannelKind)
async def test_channel_kind_of_the_origin_is_stored(storage: SqlStorage, kind: ChannelKind) -> None:
    (added,) = await kept(storage, record(1, origin=dataclasses.replace(ORIGIN, kind=kind)))
    assert await storage.catalogue.with_digest(PARTS, added.digest) == added


async def test_image_is_found_by_digest(storage: SqlStorage) -> None:
    first, _ = await kept(storage, record(1), record(2, BRAND))
    assert await storage.catalogue.with_digest(PARTS, first.digest) == first
    assert await storage.catalogue.with_digest(BRAND, first.digest) is None
    with pytest.raises(UnknownDatabase):
        await storage.catalogue.with_digest(DatabaseKey(TEAM, DatabaseName("absent")), first.digest)


async def test_images_of_an_entity_are_ordered_by_age(storage: SqlStorage) -> None:
    pump = dataclasses.replace(record(3), entity=EntityId("pump"))
    second, first, *_ = await kept(storage, record(2), record(1), pump, record(1, BRAND))
    assert await storage.catalogue.of_entity(PARTS, EntityId("valve")) == (first, second)
    assert await storage.catalogue.of_entity(PARTS, EntityId("nothing")) == ()
    with pytest.raises(UnknownDatabase):
        await storage.catalogue.of_entity(DatabaseKey(TEAM, DatabaseName("absent")), EntityId("valve"))


async def test_images_of_a_file_are_found_in_all_databases_of_the_workspace(storage: SqlStorage) -> None:
    other_file = dataclasses.replace(ORIGIN, file_id="F2")
    made = await kept(
        storage,
        record(1),
        record(2),
        record(2, BRAND),
        record(3, origin=other_file),
        record(4, origin=None),
        record(1, THEIRS),
    )
    assert await storage.catalogue.with_origins(OriginScope(TEAM, file="F1"), 10) == made[:3]
    assert await storage.catalogue.with_origins(OriginScope(OTHER_TEAM, file="F1"), 10) == made[5:]
    assert await storage.catalogue.with_origins(OriginScope(TEAM, file="F9"), 10) == ()


async def test_images_of_a_message_are_found(storage: SqlStorage) -> None:
    made = await kept(
        storage,
        record(1),
        record(2, BRAND, dataclasses.replace(ORIGIN, file_id="F2")),
        record(3, origin=dataclasses.replace(ORIGIN, channel="C2")),
        record(4, origin=dataclasses.replace(ORIGIN, message_ts="1700000000.000200")),
        record(5, THEIRS),
    )
    of_message = OriginScope(TEAM, channel="C1", message=ORIGIN.message_ts)
    assert await storage.catalogue.with_origins(of_message, 10) == made[:2]
    assert await storage.catalogue.with_origins(OriginScope(TEAM, channel="C9", message=ORIGIN.message_ts), 10) == ()


async def test_images_with_old_origins_are_found_across_workspaces(storage: SqlStorage) -> None:
    third, first, second = await kept(storage, record(3), record(1, THEIRS), record(2, BRAND, None))
    old = OriginScope(None, before=third.added_at)
    assert await storage.catalogue.with_origins(old, 10) == (first, second)
    assert await storage.catalogue.with_origins(old, 1) == (first,)
    assert await storage.catalogue.with_origins(OriginScope(None, before=first.added_at), 10) == ()


async def test_holds_looks_in_all_databases_of_the_workspace(storage: SqlStorage) -> None:
    (added,) = await kept(storage, record(1, BRAND))
    assert await storage.catalogue.holds(TEAM, added.digest)
    assert not await storage.catalogue.holds(OTHER_TEAM, added.digest)
    async with storage.unit():
        await storage.catalogue.remove(BRAND, added.entity)
        assert not await storage.catalogue.holds(TEAM, added.digest)


async def test_hints_at_hidden_matches_are_off_by_default(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    assert not (await catalogue.database(PARTS)).hints_at_hidden
    await catalogue.set_hints(PARTS, hints_at_hidden=True)
    assert [info.hints_at_hidden for info in await catalogue.databases(TEAM)] == [False, True]
    assert not (await catalogue.database(THEIRS)).hints_at_hidden
    await catalogue.set_hints(PARTS, hints_at_hidden=False)
    assert not (await catalogue.database(PARTS)).hints_at_hidden
    with pytest.raises(UnknownDatabase):
        await catalogue.set_hints(DatabaseKey(TEAM, DatabaseName("absent")), hints_at_hidden=True)


async def test_forgotten_workspace_without_databases_is_unknown(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    await catalogue.record_workspace(TEAM)
    await catalogue.forget_workspace(TEAM)
    assert await catalogue.workspaces() == (TEAM, OTHER_TEAM)
    for key in (PARTS, BRAND):
        await catalogue.delete_database(key)
    assert await catalogue.workspaces() == (OTHER_TEAM,)
    await catalogue.forget_workspace(TEAM)
