"""Deletions from the hosted service in its ledger: they become chores, and nothing is left behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.errors import BackendTimeout, UnknownDatabase
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.hosted.ledger import (
    LOGOS,
    PARTS,
    PUMP,
    TEAM,
    VALVE,
    Clock,
    GaveUpError,
    chores,
    going,
    image,
    in_a_unit,
    keep,
    kept,
)


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
    await ledger.begin_add(PARTS, image(1))
    clock.later(121)
    for number in (2, 3):
        await ledger.begin_add(PARTS, image(number))
    await ledger.mark_doubtful(PARTS, image(2).data_id)
    assert await ledger.delete_images(PARTS, VALVE, None) == 0
    assert await chores(ledger) == [("parts_upstream", "p_id_0001"), ("parts_upstream", "p_id_0002")]
    await ledger.confirm_add(PARTS, image(3).data_id)
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
    await ledger.begin_add(PARTS, image(2000))
    await ledger.mark_doubtful(PARTS, image(2000).data_id)
    await ledger.begin_add(PARTS, image(2001))
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
    await going(ledger).mark_done(chore.id for chore in some)
    assert await chores(ledger) == [("parts_upstream", "p_id_0003")]


async def test_adds_that_were_never_confirmed_are_taken_back(ledger: SqlLedger, clock: Clock) -> None:
    await keep(ledger, 1)
    await ledger.begin_add(PARTS, image(2))
    await ledger.begin_add(LOGOS, image(3))
    await ledger.mark_doubtful(LOGOS, image(3).data_id)
    clock.later(3600)
    await ledger.begin_add(PARTS, image(4))
    assert await going(ledger).queue_unconfirmed(clock.now - timedelta(minutes=10)) == 2
    assert await chores(ledger) == [("parts_upstream", "p_id_0002"), ("logos_upstream", "l_id_0003")]
    assert await kept(ledger) == ["id_0001"]
    assert await ledger.unsettled_images(PARTS) == {image(2).data_id, image(4).data_id}


async def test_what_was_taken_back_can_not_be_confirmed(storage: SqlStorage, ledger: SqlLedger, clock: Clock) -> None:
    await ledger.begin_add(PARTS, image(1))
    clock.later(3600)
    await going(ledger).queue_unconfirmed(clock.now)
    with pytest.raises(BackendTimeout):
        await ledger.confirm_add(PARTS, image(1).data_id)
    with pytest.raises(BackendTimeout):
        await in_a_unit(storage, lambda: ledger.confirm_add(PARTS, image(1).data_id))
    assert await kept(ledger) == []
