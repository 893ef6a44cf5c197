"""The catalogue: records, duplicates, pages and workspaces."""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.errors import AlreadyAdded, DatabaseExists, InvalidInput, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import Order, PageRequest
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search, random_picture
from tests.fixtures.records import image_record, with_first_origin

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
BEGINNING = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    await storage.catalogue.create_database(PARTS, "U1")
    return storage


def record(number: int, key: DatabaseKey = PARTS, entity: str = "valve") -> ImageRecord:
    return image_record(
        database=key,
        data_id=DataId(f"id-{number:04d}"),
        entity=EntityId(entity),
        note=Note(f"number {number} 🔧"),
        digest=hashlib.sha256(b"pixels %d" % number).hexdigest(),
        source_digest=hashlib.sha256(b"file %d" % number).hexdigest(),
        fingerprint=bytes([number % 256]) * 32,
        width=640,
        height=480,
        added_at=BEGINNING + timedelta(seconds=number),
        added_by="U1",
        source_name="valve.jpg",
        origin=SlackOrigin("F1", "C1", "1700000000.000100", "https://example.slack.com/archives/C1/p1"),
    )


async def test_images_are_added_together_or_not_at_all(storage: SqlStorage) -> None:
    records = [record(number, entity="Valve" if number else "VALVE") for number in range(3)]
    await storage.catalogue.add(*records)
    stored = await storage.catalogue.records(PARTS, [one.data_id for one in records])
    # The first spelling stays.
    assert stored == {one.data_id: dataclasses.replace(one, entity=EntityId("VALVE")) for one in records}
    with pytest.raises(AlreadyAdded, match="VALVE"):
        await storage.catalogue.add(record(3), record(2))
    assert await storage.catalogue.records(PARTS, [record(3).data_id]) == {}


async def test_record_round_trip(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    from_command_line = dataclasses.replace(
        record(2), origins=(Origin(OriginSource.COMMAND_LINE, BEGINNING),), fingerprint=b""
    )
    await catalogue.add(record(1))
    await catalogue.add(from_command_line)
    first = record(1)
    both = {one.data_id: one for one in (first, from_command_line)}
    assert await catalogue.records(PARTS, both) == both


async def test_pages_in_the_order_of_ids_are_complete(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    for number, entity in enumerate(("valve", "Pump 2", "valve", "Ähre", "pump 1")):
        await catalogue.add(record(number, entity=entity))
    request = PageRequest(limit=2, order=Order.BY_ID)
    listed, tokens = [], []
    while True:
        page = await catalogue.page(PARTS, request)
        listed += [(item.entity, item.data_id) for item in page.items]
        if page.token is None:
            break
        tokens.append(page.token)
        request = dataclasses.replace(request, token=page.token)
    assert [entity for entity, _ in listed] == sorted((entity for entity, _ in listed), key=lambda one: one.key)
    assert len(set(listed)) == 5
    by_offset = await catalogue.page(PARTS, PageRequest(offset=2, limit=3, order=Order.BY_ID))
    assert [(item.entity, item.data_id) for item in by_offset.items] == listed[2:]
    for order in (Order.OLDEST_FIRST, Order.NEWEST_FIRST):
        with pytest.raises(InvalidInput):
            await catalogue.page(PARTS, PageRequest(limit=2, token=tokens[0], order=order))


async def test_ids_are_counted_without_regard_to_case(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    for number, entity in enumerate(("valve", "valve", "Pump 1", "Pump 2")):
        await catalogue.add(record(number, entity=entity))
    assert await catalogue.count_entities(PARTS) == 3
    assert [await catalogue.count_entities(PARTS, prefix) for prefix in ("PUMP", "pump 1", "x")] == [2, 1, 0]
    with pytest.raises(UnknownDatabase):
        await catalogue.count_entities(DatabaseKey(OTHER_TEAM, PARTS.name))


async def test_known_pictures_and_sources_are_found_by_digest(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    first, second, third = record(1), with_first_origin(record(2), source=OriginSource.IMPORT, slack=None), record(3)
    await catalogue.add(first)
    await catalogue.add(second)
    digests = [first.digest, second.digest, third.digest]
    assert await catalogue.known_pictures(PARTS, digests) == {first.digest: first.entity, second.digest: second.entity}
    # The first came from Slack, so the operator's file would be a new origin.
    sources = [first.source_digest, second.source_digest, third.source_digest]
    assert await catalogue.imported_sources(PARTS, sources) == {second.source_digest}
    assert await catalogue.imported_sources(PARTS, []) == frozenset()
    assert await catalogue.images_of_sources(PARTS, sources) == {
        first.source_digest: first,
        second.source_digest: second,
    }


async def test_times_are_returned_in_utc(storage: SqlStorage) -> None:
    at = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    await storage.catalogue.add(with_first_origin(record(1), added_at=at))
    found = (await storage.catalogue.records(PARTS, [record(1).data_id]))[record(1).data_id]
    assert found.added_at == at
    assert found.added_at.utcoffset() == timedelta(0)


async def test_unknown_images_are_left_out(storage: SqlStorage) -> None:
    assert await storage.catalogue.known_pictures(PARTS, ["0" * 64]) == {}
    assert await storage.catalogue.imported_sources(PARTS, ["0" * 64]) == frozenset()
    assert await storage.catalogue.records(PARTS, [DataId("nothing")]) == {}
    assert await storage.catalogue.remove(PARTS, EntityId("nothing")) == ()


async def test_same_picture_is_refused_within_a_database(storage: SqlStorage) -> None:
    await storage.catalogue.add(record(1))
    double = dataclasses.replace(record(1), data_id=DataId("another"), entity=EntityId("pump"))
    with pytest.raises(AlreadyAdded, match="valve"):
        await storage.catalogue.add(double)
    assert (await storage.catalogue.database(PARTS)).images == 1
    other = DatabaseKey(OTHER_TEAM, PARTS.name)
    await storage.catalogue.create_database(other)
    await storage.catalogue.add(record(1, other))


async def test_unknown_database_is_refused(storage: SqlStorage) -> None:
    absent = DatabaseKey(TEAM, DatabaseName("absent"))
    catalogue = storage.catalogue
    for attempt in (
        catalogue.delete_database(absent),
        catalogue.database(absent),
        catalogue.add(record(1, absent)),
        catalogue.imported_sources(absent, ["0"]),
        catalogue.known_pictures(absent, ["0"]),
        catalogue.images_of_sources(absent, ["0"]),
        catalogue.records(absent, [DataId("x")]),
        catalogue.page(absent, PageRequest()),
        catalogue.remove(absent, EntityId("a")),
    ):
        with pytest.raises(UnknownDatabase):
            await attempt
    with pytest.raises(DatabaseExists):
        await catalogue.create_database(PARTS)


async def test_databases_have_sizes_and_growing_revisions(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    await catalogue.create_database(DatabaseKey(TEAM, DatabaseName("brand")))
    await catalogue.create_database(DatabaseKey(OTHER_TEAM, DatabaseName("theirs")))
    revisions = [(await catalogue.database(PARTS)).revision]
    for number in range(3):
        await catalogue.add(record(number))
        revisions.append((await catalogue.database(PARTS)).revision)
    await catalogue.remove(PARTS, EntityId("valve"), record(0).data_id)
    revisions.append((await catalogue.database(PARTS)).revision)
    assert revisions == sorted(set(revisions))

    brand, parts = await catalogue.databases(TEAM)
    assert (brand.key.name, brand.images, brand.created_by) == ("brand", 0, "")
    assert (parts.key, parts.images, parts.created_by) == (PARTS, 2, "U1")
    assert parts.created_at.tzinfo is not None


async def test_remembered_size_is_never_that_of_a_change_that_was_rolled_back(storage: SqlStorage) -> None:
    async def size() -> int:
        return (await storage.catalogue.database(PARTS)).images

    await storage.catalogue.add(record(1))
    assert await size() == 1
    with suppress(InvalidInput):
        async with storage.unit():
            await storage.catalogue.add(record(2), record(3))
            assert await size() == 3
            raise InvalidInput("Not so.")
    assert await size() == 1
    # It has the revision that the other would have had.
    await storage.catalogue.add(record(4))
    assert await size() == 2
    await storage.catalogue.remove(PARTS, EntityId("valve"))
    assert await size() == 0


async def test_remove_returns_the_deleted_records(storage: SqlStorage) -> None:
    for number in range(4):
        await storage.catalogue.add(record(number, entity="valve" if number < 3 else "pump"))
    assert await storage.catalogue.remove(PARTS, EntityId("valve"), record(1).data_id) == (record(1),)
    assert await storage.catalogue.remove(PARTS, EntityId("valve"), record(3).data_id) == ()
    assert await storage.catalogue.remove(PARTS, EntityId("valve")) == (record(0), record(2))
    assert (await storage.catalogue.database(PARTS)).images == 1


async def test_more_records_than_fit_into_one_statement(storage: SqlStorage) -> None:
    async with storage.unit():
        for number in range(600):
            await storage.catalogue.add(record(number))
    wanted = [record(number).data_id for number in range(600)]
    assert len(await storage.catalogue.records(PARTS, wanted)) == 600


@pytest.mark.parametrize("order", Order)
async def test_pages_are_complete_when_times_are_equal(storage: SqlStorage, order: Order) -> None:
    async with storage.unit():
        for number in range(10):
            await storage.catalogue.add(with_first_origin(record(number), added_at=BEGINNING))
    seen: list[DataId] = []
    token = None
    while True:
        page = await storage.catalogue.page(PARTS, PageRequest(limit=3, order=order, token=token))
        seen += [item.data_id for item in page.items]
        token = page.token
        if token is None:
            break
    expected = [record(number).data_id for number in range(10)]
    assert seen == (expected[::-1] if order is Order.NEWEST_FIRST else expected)


async def test_pages_are_ordered_by_time_added(storage: SqlStorage) -> None:
    for number in (3, 1, 2):
        await storage.catalogue.add(record(number))
    page = await storage.catalogue.page(PARTS, PageRequest())
    assert [item.data_id for item in page.items] == ["id-0003", "id-0002", "id-0001"]
    with pytest.raises(InvalidInput):
        await storage.catalogue.page(PARTS, PageRequest(token="strange"))


async def local_database(storage: SqlStorage, name: str) -> EmbeddedSearch:
    visual = embedded_search(storage)
    key = DatabaseKey(LOCAL_WORKSPACE, DatabaseName(name))
    async with storage.unit():
        await storage.catalogue.create_database(key)
        await visual.create_database(key)
    await visual.add_image(key, random_picture(1), EntityId("valve"), Note(name))
    return visual


async def test_only_workspace_gets_the_local_databases(storage: SqlStorage) -> None:
    visual = await local_database(storage, "catalogue")
    await visual.search(DatabaseKey(LOCAL_WORKSPACE, DatabaseName("catalogue")), random_picture(1))
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)

    moved = DatabaseKey(TEAM, DatabaseName("catalogue"))
    assert (await storage.catalogue.database(moved)).images == 0
    assert [match.note for match in await visual.search(moved, random_picture(1))] == ["catalogue"]
    assert await storage.catalogue.databases(LOCAL_WORKSPACE) == ()
    with pytest.raises(UnknownDatabase):
        await visual.search(DatabaseKey(LOCAL_WORKSPACE, DatabaseName("catalogue")), random_picture(1))

    await local_database(storage, "later")
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)
    assert [info.key.name for info in await storage.catalogue.databases(TEAM)] == ["catalogue", "later", "parts"]


async def test_local_database_with_a_taken_name_is_not_adopted(storage: SqlStorage) -> None:
    visual = await local_database(storage, "parts")
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)
    assert [info.key.workspace for info in await storage.catalogue.databases(LOCAL_WORKSPACE)] == [LOCAL_WORKSPACE]
    # Its vectors stay with it.
    assert await visual.list_databases(TEAM) == ()
    assert len(await visual.search(DatabaseKey(LOCAL_WORKSPACE, DatabaseName("parts")), random_picture(1))) == 1


async def test_second_workspace_adopts_no_databases(storage: SqlStorage) -> None:
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)
    await local_database(storage, "catalogue")
    await storage.catalogue.record_workspace(OTHER_TEAM, adopts_local=True)
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)
    assert [info.key.name for info in await storage.catalogue.databases(LOCAL_WORKSPACE)] == ["catalogue"]
    assert await storage.catalogue.workspaces() == (TEAM, OTHER_TEAM, LOCAL_WORKSPACE)


async def test_adopting_the_local_workspace_does_nothing(storage: SqlStorage) -> None:
    await storage.catalogue.record_workspace(LOCAL_WORKSPACE, adopts_local=True)
    assert await storage.catalogue.workspaces() == (TEAM,)
