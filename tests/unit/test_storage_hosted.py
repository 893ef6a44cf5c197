"""The ledger of what was given to the hosted service: nothing lost, nothing doubled, nothing left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.showapi.ports import Ledger
from bot.errors import AlreadyAdded, BackendTimeout, DatabaseExists, InvalidInput, UnknownDatabase
from bot.models import (
    LOCAL,
    DatabaseKey,
    DatabaseName,
    DataId,
    EntityId,
    NewHostedImage,
    Note,
    Order,
    PageRequest,
    WorkspaceId,
)
from bot.storage.hosted import SqlLedger
from bot.storage.hosted_chores import SqlHostedChores
from bot.storage.sql import SqlStorage
from tests.grounds import Ground

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS, LOGOS = DatabaseKey(TEAM, DatabaseName("parts")), DatabaseKey(TEAM, DatabaseName("logos"))
NOWHERE = DatabaseKey(TEAM, DatabaseName("nowhere"))
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VALVE, PUMP = EntityId("valve"), EntityId("pump")


class GaveUpError(Exception):
    pass


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
async def storage(ground: Ground) -> AsyncIterator[SqlStorage]:
    opened = await ground.open()
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(storage: SqlStorage, clock: Clock) -> SqlLedger:
    made = SqlLedger(storage._database, clock)
    await made.create_database(PARTS, "parts_upstream", "p_")
    await made.create_database(LOGOS, "logos_upstream", "l_")
    return made


@pytest.fixture
async def neighbour(ground: Ground, clock: Clock, ledger: SqlLedger) -> AsyncIterator[SqlLedger]:
    """Another process's."""
    opened = await ground.open()
    yield SqlLedger(opened._database, clock)
    await opened.close()


def image(number: int, entity: EntityId = VALVE) -> NewHostedImage:
    return NewHostedImage(
        data_id=DataId(f"id_{number:04d}"),
        entity=entity,
        note=Note(f"number {number} 🔧"),
        digest=hashlib.sha256(b"%d" % number).hexdigest(),
        fingerprint=bytes([number % 256]) * 32,
    )


async def keep(ledger: SqlLedger, *numbers: int, entity: EntityId = VALVE, key: DatabaseKey = PARTS) -> None:
    for number in numbers:
        assert await ledger.begin(key, image(number, entity))
        await ledger.confirm(key, image(number).data_id)


async def kept(ledger: SqlLedger, key: DatabaseKey = PARTS) -> list[str]:
    return [data_id for data_id, _, _ in await ledger.fingerprints(key)]


def going(ledger: SqlLedger) -> SqlHostedChores:
    return SqlHostedChores(ledger._database, ledger._clock)


async def chores(ledger: SqlLedger) -> list[tuple[str, str]]:
    return [(chore.upstream, chore.entity) for chore in await going(ledger).due(1000)]


async def in_a_unit(storage: SqlStorage, work: Callable[[], Awaitable[object]]) -> None:
    async with storage.unit():
        await work()


async def add_and_fail(storage: SqlStorage, ledger: SqlLedger, number: int) -> None:
    """An add whose unit is rolled back after the service took the image."""

    async def work() -> None:
        await ledger.begin(PARTS, image(number))
        await ledger.confirm(PARTS, image(number).data_id)
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, work)


def test_it_is_the_back_end_s_ledger(storage: SqlStorage) -> None:
    ledger: Ledger = storage.ledger
    assert ledger is storage.ledger


async def test_a_database_is_where_it_was_put(ledger: SqlLedger) -> None:
    place = await ledger.database(PARTS)
    assert (place.upstream, place.prefix) == ("parts_upstream", "p_")
    assert await ledger.names(TEAM) == ("logos", "parts")
    assert await ledger.names(OTHER_TEAM) == ()
    with pytest.raises(DatabaseExists):
        await ledger.create_database(PARTS, "another", "q_")
    await ledger.create_database(DatabaseKey(OTHER_TEAM, PARTS.name), "another", "q_")


async def test_a_confirmed_image_comes_back_as_it_was(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    one, two = image(1), dataclasses.replace(image(3), fingerprint=b"")
    await ledger.begin(PARTS, two)
    await ledger.confirm(PARTS, two.data_id)
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


@pytest.mark.parametrize("state", ["adding", "doubtful"])
async def test_an_add_that_is_not_confirmed_shows_nowhere(ledger: SqlLedger, state: str) -> None:
    data_id = image(1).data_id
    await ledger.begin(PARTS, image(1))
    if state == "doubtful":
        await ledger.doubt(PARTS, data_id)
    assert not await ledger.has(PARTS, data_id)
    assert await ledger.images(PARTS, [data_id]) == {}
    assert await kept(ledger) == []
    assert await ledger.count(PARTS) == 0
    assert (await ledger.page(PARTS, PageRequest())).total == 0
    assert await ledger.unsettled(PARTS) == {data_id}
    assert await ledger.unsettled(LOGOS) == frozenset()


async def test_an_abandoned_add_leaves_nothing(ledger: SqlLedger) -> None:
    await ledger.begin(PARTS, image(1))
    await ledger.abandon(PARTS, image(1).data_id)
    assert await ledger.unsettled(PARTS) == frozenset()
    assert await chores(ledger) == []


async def test_what_is_confirmed_can_not_be_doubted_nor_abandoned(ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    await ledger.doubt(PARTS, image(1).data_id)
    await ledger.abandon(PARTS, image(1).data_id)
    assert await kept(ledger) == ["id_0001"]


async def test_a_beginning_outlives_its_unit_s_crash(
    storage: SqlStorage, ledger: SqlLedger, neighbour: SqlLedger
) -> None:
    async with storage.unit():
        await ledger.begin(PARTS, image(1))
        # What a process that dies now leaves behind.
        assert await neighbour.unsettled(PARTS) == {image(1).data_id}
        await ledger.confirm(PARTS, image(1).data_id)
        assert await neighbour.count(PARTS) == 0
        assert not await ledger.has(PARTS, image(1).data_id)
    assert await neighbour.count(PARTS) == 1


async def test_a_rolled_back_add_is_to_go_again_at_once(storage: SqlStorage, ledger: SqlLedger) -> None:
    await add_and_fail(storage, ledger, 1)
    assert await kept(ledger) == []
    assert await ledger.take_over(PARTS, image(1).digest, PUMP, Note("again")) is None
    assert await chores(ledger) == [("parts_upstream", "p_id_0001")]


async def test_whoever_takes_an_add_over_says_what_it_is(ledger: SqlLedger) -> None:
    await ledger.begin(PARTS, image(1))
    await ledger.doubt(PARTS, image(1).data_id)
    assert await ledger.take_over(PARTS, image(1).digest, PUMP, Note("again")) == image(1).data_id
    await ledger.confirm(PARTS, image(1).data_id)
    found = (await ledger.images(PARTS, [image(1).data_id]))[image(1).data_id]
    assert found == dataclasses.replace(image(1), entity=PUMP, note=Note("again"))


async def test_adds_of_one_unit_are_rolled_back_as_a_whole(storage: SqlStorage, ledger: SqlLedger) -> None:
    async def several() -> None:
        for number in range(3):
            await ledger.begin(PARTS, image(number))
            await ledger.confirm(PARTS, image(number).data_id)
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, several)
    assert await kept(ledger) == []
    assert len(await chores(ledger)) == 3


async def test_an_add_under_way_is_nobody_else_s_until_its_process_must_have_died(
    neighbour: SqlLedger, ledger: SqlLedger, clock: Clock
) -> None:
    await ledger.begin(PARTS, image(1))
    clock.later(120)
    assert await neighbour.take_over(PARTS, image(1).digest, PUMP, Note()) is None
    clock.later(1)
    assert await neighbour.take_over(PARTS, image(1).digest, PUMP, Note()) == image(1).data_id
    # It begins anew, and is theirs now.
    assert await ledger.take_over(PARTS, image(1).digest, VALVE, Note()) is None
    clock.later(121)
    assert await ledger.take_over(PARTS, image(1).digest, VALVE, Note()) == image(1).data_id


async def test_only_one_of_many_takes_an_add_over(ledger: SqlLedger, neighbour: SqlLedger) -> None:
    await ledger.begin(PARTS, image(1))
    await ledger.doubt(PARTS, image(1).data_id)
    takers = [each.take_over(PARTS, image(1).digest, VALVE, Note()) for each in (ledger, neighbour) * 5]
    taken = await asyncio.gather(*takers)
    assert sorted(taken, key=bool) == [None] * 9 + [image(1).data_id]


async def test_other_pixels_databases_and_confirmed_images_are_not_taken_over(ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    await ledger.begin(PARTS, image(2))
    await ledger.doubt(PARTS, image(2).data_id)
    assert await ledger.take_over(PARTS, image(1).digest, VALVE, Note()) is None
    assert await ledger.take_over(PARTS, image(3).digest, VALVE, Note()) is None
    assert await ledger.take_over(LOGOS, image(2).digest, VALVE, Note()) is None


async def test_a_name_that_was_begun_before_is_taken_up_again(ledger: SqlLedger) -> None:
    assert await ledger.begin(PARTS, image(1))
    assert await ledger.begin(LOGOS, image(1))
    again = dataclasses.replace(image(2), data_id=image(1).data_id, entity=PUMP)
    assert not await ledger.begin(PARTS, again)
    await ledger.confirm(PARTS, again.data_id)
    assert await ledger.images(PARTS, [again.data_id]) == {again.data_id: again}
    with pytest.raises(AlreadyAdded):
        await ledger.begin(PARTS, again)


async def test_what_is_added_again_is_not_taken_by_its_old_deletion(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await ledger.delete_images(PARTS, VALVE, None)
    assert not await ledger.begin(PARTS, image(1))
    await ledger.confirm(PARTS, image(1).data_id)
    assert await chores(ledger) == [("parts_upstream", "p_id_0002")]
    assert await kept(ledger) == ["id_0001"]


async def test_a_page_shows_the_confirmed_ones_in_their_order(ledger: SqlLedger, clock: Clock) -> None:
    for number in range(10):
        clock.later(1)
        await keep(ledger, number, entity=VALVE if number % 2 else PUMP)
        await ledger.begin(PARTS, image(100 + number))
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


async def test_a_deleted_entity_becomes_chores(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await keep(ledger, 3, entity=PUMP)
    await keep(ledger, 4, key=LOGOS)
    assert await ledger.delete_images(PARTS, VALVE, None) == 2
    assert await kept(ledger) == ["id_0003"]
    assert await chores(ledger) == [("parts_upstream", "p_id_0001"), ("parts_upstream", "p_id_0002")]
    assert await ledger.delete_images(PARTS, VALVE, None) == 0
    assert await kept(ledger, LOGOS) == ["id_0004"]


async def test_one_image_can_be_deleted(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    assert await ledger.delete_images(PARTS, PUMP, image(1).data_id) == 0
    assert await ledger.delete_images(PARTS, VALVE, image(1).data_id) == 1
    assert await kept(ledger) == ["id_0002"]
    assert await chores(ledger) == [("parts_upstream", "p_id_0001")]


async def test_a_deletion_takes_what_is_in_doubt_along_but_nothing_under_way(ledger: SqlLedger, clock: Clock) -> None:
    await ledger.begin(PARTS, image(1))
    clock.later(121)
    for number in (2, 3):
        await ledger.begin(PARTS, image(number))
    await ledger.doubt(PARTS, image(2).data_id)
    assert await ledger.delete_images(PARTS, VALVE, None) == 0
    assert await chores(ledger) == [("parts_upstream", "p_id_0001"), ("parts_upstream", "p_id_0002")]
    await ledger.confirm(PARTS, image(3).data_id)
    assert await kept(ledger) == ["id_0003"]


async def test_a_deletion_that_is_rolled_back_did_nothing(storage: SqlStorage, ledger: SqlLedger) -> None:
    await keep(ledger, 1)

    async def delete() -> None:
        assert await ledger.delete_images(PARTS, VALVE, None) == 1
        await ledger.delete_database(LOGOS, whole=True)
        assert await ledger.count(PARTS) == 0
        assert await ledger.names(TEAM) == ("parts",)
        assert await chores(ledger) == []
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, delete)
    assert await kept(ledger) == ["id_0001"]
    assert await ledger.names(TEAM) == ("logos", "parts")
    assert await chores(ledger) == []


async def test_a_database_of_its_own_goes_as_a_whole(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await ledger.delete_database(PARTS, whole=True)
    assert await chores(ledger) == [("parts_upstream", "")]
    with pytest.raises(UnknownDatabase):
        await ledger.database(PARTS)
    await ledger.create_database(PARTS, "upstream_2", "p2_")
    assert await ledger.count(PARTS) == 0


async def test_of_a_shared_one_every_image_goes(ledger: SqlLedger, clock: Clock) -> None:
    await keep(ledger, *range(1200))
    await ledger.begin(PARTS, image(2000))
    await ledger.doubt(PARTS, image(2000).data_id)
    await ledger.begin(PARTS, image(2001))
    await ledger.delete_database(PARTS, whole=False)
    assert len(await going(ledger).due(2000)) == 1201
    assert (await going(ledger).due(2))[1].entity == "p_id_0001"
    # The last was on its way to the service, where a deletion could have come before it.
    clock.later(120)
    assert (await going(ledger).due(2000))[-1].entity == "p_id_2001"


async def test_chores_go_once_they_are_done(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2, 3)
    await ledger.delete_images(PARTS, VALVE, None)
    some = await going(ledger).due(2)
    assert [chore.entity for chore in some] == ["p_id_0001", "p_id_0002"]
    await going(ledger).done(chore.id for chore in some)
    assert await chores(ledger) == [("parts_upstream", "p_id_0003")]


async def test_adds_that_were_never_confirmed_are_taken_back(ledger: SqlLedger, clock: Clock) -> None:
    await keep(ledger, 1)
    await ledger.begin(PARTS, image(2))
    await ledger.begin(LOGOS, image(3))
    await ledger.doubt(LOGOS, image(3).data_id)
    clock.later(3600)
    await ledger.begin(PARTS, image(4))
    assert await going(ledger).take_back(clock.now - timedelta(minutes=10)) == 2
    assert await chores(ledger) == [("parts_upstream", "p_id_0002"), ("logos_upstream", "l_id_0003")]
    assert await kept(ledger) == ["id_0001"]
    assert await ledger.unsettled(PARTS) == {image(2).data_id, image(4).data_id}


async def test_what_was_taken_back_can_not_be_confirmed(storage: SqlStorage, ledger: SqlLedger, clock: Clock) -> None:
    await ledger.begin(PARTS, image(1))
    clock.later(3600)
    await going(ledger).take_back(clock.now)
    with pytest.raises(BackendTimeout):
        await ledger.confirm(PARTS, image(1).data_id)
    with pytest.raises(BackendTimeout):
        await in_a_unit(storage, lambda: ledger.confirm(PARTS, image(1).data_id))
    assert await kept(ledger) == []


async def test_what_the_service_lost_is_forgotten(storage: SqlStorage, ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await ledger.begin(PARTS, image(3))
    async with storage.unit():
        await ledger.lose(PARTS, [image(1).data_id, image(3).data_id])
        # It may be given to it again right away.
        assert await ledger.begin(PARTS, image(1))
    assert await kept(ledger) == ["id_0002"]
    assert await ledger.unsettled(PARTS) == {image(1).data_id, image(3).data_id}
    assert await chores(ledger) == []


async def test_a_database_that_is_not_there_is_unknown(ledger: SqlLedger) -> None:
    asked: list[Awaitable[object]] = [
        ledger.database(NOWHERE),
        ledger.delete_database(NOWHERE, whole=True),
        ledger.delete_database(NOWHERE, whole=False),
        ledger.begin(NOWHERE, image(1)),
        ledger.take_over(NOWHERE, image(1).digest, VALVE, Note()),
        ledger.confirm(NOWHERE, image(1).data_id),
        ledger.images(NOWHERE, [image(1).data_id]),
        ledger.has(NOWHERE, image(1).data_id),
        ledger.unsettled(NOWHERE),
        ledger.fingerprints(NOWHERE),
        ledger.count(NOWHERE),
        ledger.page(NOWHERE, PageRequest()),
        ledger.delete_images(NOWHERE, VALVE, None),
        ledger.lose(NOWHERE, [image(1).data_id]),
    ]
    for one in asked:
        with pytest.raises(UnknownDatabase):
            await one


async def test_an_add_whose_database_was_deleted_ends_quietly(ledger: SqlLedger) -> None:
    await ledger.begin(PARTS, image(1))
    await ledger.delete_database(PARTS, whole=True)
    await ledger.doubt(PARTS, image(1).data_id)
    await ledger.abandon(PARTS, image(1).data_id)


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
        await ledger.afterwards(follow)
        assert seen == []
    assert seen == [1]
    await ledger.afterwards(follow)
    assert seen == [1, 1]


async def test_a_local_database_moves_to_the_first_workspace(storage: SqlStorage, ledger: SqlLedger) -> None:
    here, moved = (DatabaseKey(workspace, DatabaseName("catalogue")) for workspace in (LOCAL, TEAM))
    await storage.catalogue.create_database(here)
    await ledger.create_database(here, "catalogue_upstream", "c_")
    await keep(ledger, 1, key=here)
    await storage.catalogue.adopt(TEAM)
    assert (await storage.catalogue.database(moved)).images == 0
    place = await ledger.database(moved)
    assert (place.upstream, place.prefix) == ("catalogue_upstream", "c_")
    assert await kept(ledger, moved) == ["id_0001"]
    assert await ledger.names(LOCAL) == ()


async def test_a_name_that_the_service_s_side_has_stays_behind(storage: SqlStorage, ledger: SqlLedger) -> None:
    here = DatabaseKey(LOCAL, PARTS.name)
    await storage.catalogue.create_database(here)
    await ledger.create_database(here, "local_upstream", "c_")
    await storage.catalogue.adopt(TEAM)
    assert (await ledger.database(here)).upstream == "local_upstream"
    assert [info.key for info in await storage.catalogue.databases(LOCAL)] == [here]
