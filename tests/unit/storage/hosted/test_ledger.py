"""The hosted service's ledger: databases, lookups, pages and hooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable
from datetime import timedelta

import pytest

from bot.adapters.showapi.ports import Ledger
from bot.domain.errors import DatabaseExists, InvalidInput, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, Note
from bot.domain.pages import Order, PageRequest
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import BEGINNING, Clock
from tests.unit.storage.hosted.ledger import (
    LOGOS,
    NOWHERE,
    OTHER_TEAM,
    PARTS,
    PUMP,
    TEAM,
    VALVE,
    due_deletions,
    image,
    keep,
    kept,
)


def test_storage_ledger_implements_the_port(storage: SqlStorage) -> None:
    ledger: Ledger = storage.ledger
    assert ledger is storage.ledger


async def test_database_location_is_stored(ledger: SqlLedger) -> None:
    location = await ledger.database(PARTS)
    assert (location.upstream, location.prefix) == ("parts_upstream", "p_")
    assert await ledger.names(TEAM) == ("logos", "parts")
    assert await ledger.names(OTHER_TEAM) == ()
    with pytest.raises(DatabaseExists):
        await ledger.create_database(PARTS, "another", "q_")
    await ledger.create_database(DatabaseKey(OTHER_TEAM, PARTS.name), "another", "q_")


async def test_confirmed_image_round_trip(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    one, two = image(1), dataclasses.replace(image(3), fingerprint=b"")
    await ledger.begin_add(PARTS, two)
    await ledger.confirm_add(PARTS, two.data_id)
    wanted = [one.data_id, two.data_id, DataId("unheard_of")]
    assert await ledger.images(PARTS, wanted) == {one.data_id: one, two.data_id: two}
    assert await ledger.fingerprints(PARTS) == [
        (each.data_id, each.digest, each.fingerprint) for each in (one, image(2), two)
    ]
    assert await ledger.images(LOGOS, wanted) == {}
    assert await ledger.has(PARTS, one.data_id)
    assert not await ledger.has(LOGOS, one.data_id)
    assert (await ledger.count(PARTS), await ledger.count(LOGOS)) == (3, 0)


async def test_thousands_of_images_are_looked_up_in_one_call(ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    many = [image(number).data_id for number in range(2000)]
    assert list(await ledger.images(PARTS, many)) == [image(1).data_id]


async def test_pages_list_confirmed_images_in_order(ledger: SqlLedger, clock: Clock) -> None:
    for number in range(10):
        clock.pass_by(1)
        await keep(ledger, number, entity=VALVE if number % 2 else PUMP)
        await ledger.begin_add(PARTS, image(100 + number))
    first = await ledger.page(PARTS, PageRequest(limit=6))
    assert [row.data_id[-2:] for row in first.items] == ["09", "08", "07", "06", "05", "04"]
    assert (first.total, first.items[0].created_at) == (10, BEGINNING + timedelta(seconds=10))
    last = await ledger.page(PARTS, PageRequest(limit=6, token=first.token))
    assert [row.data_id[-2:] for row in last.items] == ["03", "02", "01", "00"]
    assert last.token is None
    pumps = await ledger.page(PARTS, PageRequest(order=Order.OLDEST_FIRST, entity_prefix="pu", offset=1, limit=2))
    assert [row.note for row in pumps.items] == ["number 2 🔧", "number 4 🔧"]
    assert pumps.total == 5
    with pytest.raises(InvalidInput):
        await ledger.page(PARTS, PageRequest(token="nonsense"))


async def test_missing_images_are_forgotten(storage: SqlStorage, ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await ledger.begin_add(PARTS, image(3))
    async with storage.unit():
        await ledger.forget_missing(PARTS, [image(1).data_id, image(3).data_id])
        # It can be added again at once.
        assert await ledger.begin_add(PARTS, image(1))
    assert await kept(ledger) == ["id_0002"]
    assert await ledger.unsettled_images(PARTS) == {image(1).data_id, image(3).data_id}
    assert await due_deletions(ledger) == []


async def test_unknown_database_is_refused(ledger: SqlLedger) -> None:
    calls: list[Awaitable[object]] = [
        ledger.database(NOWHERE),
        ledger.delete_database(NOWHERE, whole=True),
        ledger.delete_database(NOWHERE, whole=False),
        ledger.begin_add(NOWHERE, image(1)),
        ledger.take_over_add(NOWHERE, image(1).digest, VALVE, Note()),
        ledger.confirm_add(NOWHERE, image(1).data_id),
        ledger.images(NOWHERE, [image(1).data_id]),
        ledger.has(NOWHERE, image(1).data_id),
        ledger.unsettled_images(NOWHERE),
        ledger.fingerprints(NOWHERE),
        ledger.count(NOWHERE),
        ledger.page(NOWHERE, PageRequest()),
        ledger.delete_images(NOWHERE, VALVE, None),
        ledger.forget_missing(NOWHERE, [image(1).data_id]),
    ]
    for call in calls:
        with pytest.raises(UnknownDatabase):
            await call


async def test_lookups_read_committed_data_inside_a_unit(storage: SqlStorage, ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    async with storage.unit():
        await ledger.delete_images(PARTS, VALVE, None)
        assert await ledger.count(PARTS) == 0
        assert await kept(ledger) == ["id_0001"]
        assert list(await ledger.images(PARTS, [image(1).data_id])) == [image(1).data_id]
        assert (await ledger.database(PARTS)).prefix == "p_"
    assert await kept(ledger) == []


async def test_commit_hook_waits_for_the_unit(storage: SqlStorage, ledger: SqlLedger) -> None:
    seen: list[int] = []

    async def follow() -> None:
        seen.append(len(await due_deletions(ledger)))

    await keep(ledger, 1)
    async with storage.unit():
        await ledger.delete_images(PARTS, VALVE, None)
        await ledger.after_commit(follow)
        assert seen == []
    assert seen == [1]
    await ledger.after_commit(follow)
    assert seen == [1, 1]


async def test_first_workspace_adopts_local_databases(storage: SqlStorage, ledger: SqlLedger) -> None:
    here, moved = (DatabaseKey(workspace, DatabaseName("catalogue")) for workspace in (LOCAL_WORKSPACE, TEAM))
    await storage.catalogue.create_database(here)
    await ledger.create_database(here, "catalogue_upstream", "c_")
    await keep(ledger, 1, key=here)
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)
    assert (await storage.catalogue.database(moved)).images == 0
    location = await ledger.database(moved)
    assert (location.upstream, location.prefix) == ("catalogue_upstream", "c_")
    assert await kept(ledger, moved) == ["id_0001"]
    assert await ledger.names(LOCAL_WORKSPACE) == ()


async def test_local_database_with_a_name_taken_in_the_ledger_is_not_adopted(
    storage: SqlStorage, ledger: SqlLedger
) -> None:
    here = DatabaseKey(LOCAL_WORKSPACE, PARTS.name)
    await storage.catalogue.create_database(here)
    await ledger.create_database(here, "local_upstream", "c_")
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)
    assert (await ledger.database(here)).upstream == "local_upstream"
    assert [info.key for info in await storage.catalogue.databases(LOCAL_WORKSPACE)] == [here]
