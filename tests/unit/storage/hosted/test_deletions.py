"""Deletions in the hosted service's ledger, which queues them for the service."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.errors import BackendTimeout, UnknownDatabase
from bot.storage.hosted.deleted_databases import purge_ledger
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock
from tests.unit.storage.hosted.ledger import (
    LOGOS,
    PARTS,
    PUMP,
    TEAM,
    VALVE,
    due_deletions,
    image,
    keep,
    kept,
    pending_deletions,
)
from tests.unit.storage.sql.units import GaveUpError, in_a_unit


async def test_deleting_an_entity_queues_its_images(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await keep(ledger, 3, entity=PUMP)
    await keep(ledger, 4, key=LOGOS)
    assert await ledger.delete_images(PARTS, VALVE, None) == 2
    assert await kept(ledger) == ["id_0003"]
    assert await due_deletions(ledger) == [("parts_upstream", "p_id_0001"), ("parts_upstream", "p_id_0002")]
    assert await ledger.delete_images(PARTS, VALVE, None) == 0
    assert await kept(ledger, LOGOS) == ["id_0004"]


async def test_one_image_can_be_deleted(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    assert await ledger.delete_images(PARTS, PUMP, image(1).data_id) == 0
    assert await ledger.delete_images(PARTS, VALVE, image(1).data_id) == 1
    assert await kept(ledger) == ["id_0002"]
    assert await due_deletions(ledger) == [("parts_upstream", "p_id_0001")]


async def test_delete_includes_doubtful_adds_but_not_running_ones(ledger: SqlLedger, clock: Clock) -> None:
    await ledger.begin_add(PARTS, image(1))
    clock.pass_by(121)
    for number in (2, 3):
        await ledger.begin_add(PARTS, image(number))
    await ledger.mark_doubtful(PARTS, image(2).data_id)
    assert await ledger.delete_images(PARTS, VALVE, None) == 0
    assert await due_deletions(ledger) == [("parts_upstream", "p_id_0001"), ("parts_upstream", "p_id_0002")]
    await ledger.confirm_add(PARTS, image(3).data_id)
    assert await kept(ledger) == ["id_0003"]


async def test_rolled_back_delete_changes_nothing(storage: SqlStorage, ledger: SqlLedger) -> None:
    await keep(ledger, 1)

    async def delete() -> None:
        assert await ledger.delete_images(PARTS, VALVE, None) == 1
        await ledger.delete_database(LOGOS, whole=True)
        assert await ledger.count(PARTS) == 0
        assert await ledger.names(TEAM) == ("parts",)
        assert await due_deletions(ledger) == []
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, delete)
    assert await kept(ledger) == ["id_0001"]
    assert await ledger.names(TEAM) == ("logos", "parts")
    assert await due_deletions(ledger) == []


async def test_deleting_a_whole_database_queues_one_deletion(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await ledger.delete_database(PARTS, whole=True)
    assert await due_deletions(ledger) == [("parts_upstream", "")]
    with pytest.raises(UnknownDatabase):
        await ledger.database(PARTS)
    await ledger.create_database(PARTS, "upstream_2", "p2_")
    assert await ledger.count(PARTS) == 0


async def test_deleting_a_shared_database_queues_every_image(
    storage: SqlStorage, ledger: SqlLedger, clock: Clock
) -> None:
    await keep(ledger, *range(1200))
    await ledger.begin_add(PARTS, image(2000))
    await ledger.mark_doubtful(PARTS, image(2000).data_id)
    await ledger.begin_add(PARTS, image(2001))
    await ledger.delete_database(PARTS, whole=False)
    # A large database goes in short transactions.
    assert 0 < len(await pending_deletions(ledger).due(2000)) < 1201
    while await storage._database.write(lambda connection: purge_ledger(connection, 500, clock())):
        pass
    assert len(await pending_deletions(ledger).due(2000)) == 1201
    assert (await pending_deletions(ledger).due(2))[1].entity == "p_id_0001"
    # The last image was in flight to the service, where a deletion could have arrived before it.
    clock.pass_by(120)
    assert (await pending_deletions(ledger).due(2000))[-1].entity == "p_id_2001"


async def test_finished_deletions_leave_the_queue(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2, 3)
    await ledger.delete_images(PARTS, VALVE, None)
    some = await pending_deletions(ledger).due(2)
    assert [deletion.entity for deletion in some] == ["p_id_0001", "p_id_0002"]
    await pending_deletions(ledger).mark_done(deletion.id for deletion in some)
    assert await due_deletions(ledger) == [("parts_upstream", "p_id_0003")]


async def test_old_unconfirmed_adds_are_queued_for_deletion(ledger: SqlLedger, clock: Clock) -> None:
    await keep(ledger, 1)
    await ledger.begin_add(PARTS, image(2))
    await ledger.begin_add(LOGOS, image(3))
    await ledger.mark_doubtful(LOGOS, image(3).data_id)
    clock.pass_by(3600)
    await ledger.begin_add(PARTS, image(4))
    assert await pending_deletions(ledger).queue_unconfirmed(clock.now - timedelta(minutes=10)) == 2
    assert await due_deletions(ledger) == [("parts_upstream", "p_id_0002"), ("logos_upstream", "l_id_0003")]
    assert await kept(ledger) == ["id_0001"]
    assert await ledger.unsettled_images(PARTS) == {image(2).data_id, image(4).data_id}


async def test_queued_add_cannot_be_confirmed(storage: SqlStorage, ledger: SqlLedger, clock: Clock) -> None:
    await ledger.begin_add(PARTS, image(1))
    clock.pass_by(3600)
    await pending_deletions(ledger).queue_unconfirmed(clock.now)
    with pytest.raises(BackendTimeout):
        await ledger.confirm_add(PARTS, image(1).data_id)
    with pytest.raises(BackendTimeout):
        await in_a_unit(storage, lambda: ledger.confirm_add(PARTS, image(1).data_id))
    assert await kept(ledger) == []
