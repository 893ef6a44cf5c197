"""The ledger of what was given to the hosted service: what it shows, and what it stands in."""

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
from tests.unit.storage.hosted.ledger import (
    LOGOS,
    NOWHERE,
    OTHER_TEAM,
    PARTS,
    PUMP,
    START,
    TEAM,
    VALVE,
    Clock,
    chores,
    image,
    keep,
    kept,
)


def test_it_is_the_back_end_s_ledger(storage: SqlStorage) -> None:
    ledger: Ledger = storage.ledger
    assert ledger is storage.ledger


async def test_a_database_is_where_it_was_put(ledger: SqlLedger) -> None:
    location = await ledger.database(PARTS)
    assert (location.upstream, location.prefix) == ("parts_upstream", "p_")
    assert await ledger.names(TEAM) == ("logos", "parts")
    assert await ledger.names(OTHER_TEAM) == ()
    with pytest.raises(DatabaseExists):
        await ledger.create_database(PARTS, "another", "q_")
    await ledger.create_database(DatabaseKey(OTHER_TEAM, PARTS.name), "another", "q_")


async def test_a_confirmed_image_comes_back_as_it_was(ledger: SqlLedger) -> None:
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


async def test_thousands_are_looked_up_at_once(ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    many = [image(number).data_id for number in range(2000)]
    assert list(await ledger.images(PARTS, many)) == [image(1).data_id]


async def test_a_page_shows_the_confirmed_ones_in_their_order(ledger: SqlLedger, clock: Clock) -> None:
    for number in range(10):
        clock.later(1)
        await keep(ledger, number, entity=VALVE if number % 2 else PUMP)
        await ledger.begin_add(PARTS, image(100 + number))
    first = await ledger.page(PARTS, PageRequest(limit=6))
    assert [row.data_id[-2:] for row in first.items] == ["09", "08", "07", "06", "05", "04"]
    assert (first.total, first.items[0].created_at) == (10, START + timedelta(seconds=10))
    last = await ledger.page(PARTS, PageRequest(limit=6, token=first.token))
    assert [row.data_id[-2:] for row in last.items] == ["03", "02", "01", "00"]
    assert last.token is None
    pumps = await ledger.page(PARTS, PageRequest(order=Order.OLDEST_FIRST, entity_prefix="pu", offset=1, limit=2))
    assert [row.note for row in pumps.items] == ["number 2 🔧", "number 4 🔧"]
    assert pumps.total == 5
    with pytest.raises(InvalidInput):
        await ledger.page(PARTS, PageRequest(token="nonsense"))


async def test_what_the_service_lost_is_forgotten(storage: SqlStorage, ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await ledger.begin_add(PARTS, image(3))
    async with storage.unit():
        await ledger.forget_missing(PARTS, [image(1).data_id, image(3).data_id])
        # It may be given to it again right away.
        assert await ledger.begin_add(PARTS, image(1))
    assert await kept(ledger) == ["id_0002"]
    assert await ledger.unsettled_images(PARTS) == {image(1).data_id, image(3).data_id}
    assert await chores(ledger) == []


async def test_a_database_that_is_not_there_is_unknown(ledger: SqlLedger) -> None:
    asked: list[Awaitable[object]] = [
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
    for one in asked:
        with pytest.raises(UnknownDatabase):
            await one


async def test_what_is_committed_is_asked_even_inside_a_unit(storage: SqlStorage, ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    async with storage.unit():
        await ledger.delete_images(PARTS, VALVE, None)
        assert await ledger.count(PARTS) == 0
        assert await kept(ledger) == ["id_0001"]
        assert list(await ledger.images(PARTS, [image(1).data_id])) == [image(1).data_id]
        assert (await ledger.database(PARTS)).prefix == "p_"
    assert await kept(ledger) == []


async def test_what_follows_a_unit_waits_for_it(storage: SqlStorage, ledger: SqlLedger) -> None:
    seen: list[int] = []

    async def follow() -> None:
        seen.append(len(await chores(ledger)))

    await keep(ledger, 1)
    async with storage.unit():
        await ledger.delete_images(PARTS, VALVE, None)
        await ledger.after_commit(follow)
        assert seen == []
    assert seen == [1]
    await ledger.after_commit(follow)
    assert seen == [1, 1]


async def test_a_local_database_moves_to_the_first_workspace(storage: SqlStorage, ledger: SqlLedger) -> None:
    here, moved = (DatabaseKey(workspace, DatabaseName("catalogue")) for workspace in (LOCAL_WORKSPACE, TEAM))
    await storage.catalogue.create_database(here)
    await ledger.create_database(here, "catalogue_upstream", "c_")
    await keep(ledger, 1, key=here)
    await storage.catalogue.adopt(TEAM)
    assert (await storage.catalogue.database(moved)).images == 0
    location = await ledger.database(moved)
    assert (location.upstream, location.prefix) == ("catalogue_upstream", "c_")
    assert await kept(ledger, moved) == ["id_0001"]
    assert await ledger.names(LOCAL_WORKSPACE) == ()


async def test_a_name_that_the_service_s_side_has_stays_behind(storage: SqlStorage, ledger: SqlLedger) -> None:
    here = DatabaseKey(LOCAL_WORKSPACE, PARTS.name)
    await storage.catalogue.create_database(here)
    await ledger.create_database(here, "local_upstream", "c_")
    await storage.catalogue.adopt(TEAM)
    assert (await ledger.database(here)).upstream == "local_upstream"
    assert [info.key for info in await storage.catalogue.databases(LOCAL_WORKSPACE)] == [here]
