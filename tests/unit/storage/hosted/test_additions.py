"""Adds in the hosted service's ledger: begun, confirmed, doubtful, taken over, rolled back."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from bot.domain.errors import AlreadyAdded
from bot.domain.identifiers import Note
from bot.domain.pages import PageRequest
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.hosted.ledger import (
    LOGOS,
    PARTS,
    PUMP,
    VALVE,
    due_deletions,
    image,
    keep,
    kept,
)
from tests.unit.storage.sql.units import GaveUpError, in_a_unit


@pytest.fixture
async def neighbour(storage_place: StoragePlace, clock: Clock, ledger: SqlLedger) -> AsyncIterator[SqlLedger]:
    """The ledger of another process."""
    opened = await storage_place.open()
    yield SqlLedger(opened._database, clock)
    await opened.close()


async def add_and_fail(storage: SqlStorage, ledger: SqlLedger, number: int) -> None:
    """Roll a unit back after the service has accepted the image."""

    async def work() -> None:
        await ledger.begin_add(PARTS, image(number))
        await ledger.confirm_add(PARTS, image(number).data_id)
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, work)


@pytest.mark.parametrize("state", ["adding", "doubtful"])
async def test_unconfirmed_add_is_not_visible(ledger: SqlLedger, state: str) -> None:
    data_id = image(1).data_id
    await ledger.begin_add(PARTS, image(1))
    if state == "doubtful":
        await ledger.mark_doubtful(PARTS, data_id)
    assert not await ledger.has(PARTS, data_id)
    assert await ledger.images(PARTS, [data_id]) == {}
    assert await kept(ledger) == []
    assert await ledger.count(PARTS) == 0
    assert (await ledger.page(PARTS, PageRequest())).total == 0
    assert await ledger.unsettled_images(PARTS) == {data_id}
    assert await ledger.unsettled_images(LOGOS) == frozenset()


async def test_abandoned_add_leaves_no_rows(ledger: SqlLedger) -> None:
    await ledger.begin_add(PARTS, image(1))
    await ledger.abandon_add(PARTS, image(1).data_id)
    assert await ledger.unsettled_images(PARTS) == frozenset()
    assert await due_deletions(ledger) == []


async def test_confirmed_add_cannot_become_doubtful_or_abandoned(ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    await ledger.mark_doubtful(PARTS, image(1).data_id)
    await ledger.abandon_add(PARTS, image(1).data_id)
    assert await kept(ledger) == ["id_0001"]


async def test_begin_add_is_committed_inside_an_open_unit(
    storage: SqlStorage, ledger: SqlLedger, neighbour: SqlLedger
) -> None:
    async with storage.unit():
        await ledger.begin_add(PARTS, image(1))
        # Others would see this if the process died now.
        assert await neighbour.unsettled_images(PARTS) == {image(1).data_id}
        await ledger.confirm_add(PARTS, image(1).data_id)
        assert await neighbour.count(PARTS) == 0
        assert not await ledger.has(PARTS, image(1).data_id)
    assert await neighbour.count(PARTS) == 1


async def test_rolled_back_add_is_queued_for_deletion_at_once(storage: SqlStorage, ledger: SqlLedger) -> None:
    await add_and_fail(storage, ledger, 1)
    assert await kept(ledger) == []
    assert await ledger.take_over_add(PARTS, image(1).digest, PUMP, Note("again")) is None
    assert await due_deletions(ledger) == [("parts_upstream", "p_id_0001")]


async def test_taken_over_add_gets_the_new_entity_and_note(ledger: SqlLedger) -> None:
    await ledger.begin_add(PARTS, image(1))
    await ledger.mark_doubtful(PARTS, image(1).data_id)
    assert await ledger.take_over_add(PARTS, image(1).digest, PUMP, Note("again")) == image(1).data_id
    await ledger.confirm_add(PARTS, image(1).data_id)
    found = (await ledger.images(PARTS, [image(1).data_id]))[image(1).data_id]
    assert found == dataclasses.replace(image(1), entity=PUMP, note=Note("again"))


async def test_adds_of_one_unit_are_rolled_back_as_a_whole(storage: SqlStorage, ledger: SqlLedger) -> None:
    async def several() -> None:
        for number in range(3):
            await ledger.begin_add(PARTS, image(number))
            await ledger.confirm_add(PARTS, image(number).data_id)
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, several)
    assert await kept(ledger) == []
    assert len(await due_deletions(ledger)) == 3


async def test_running_add_is_taken_over_only_after_its_lease(
    neighbour: SqlLedger, ledger: SqlLedger, clock: Clock
) -> None:
    await ledger.begin_add(PARTS, image(1))
    clock.pass_by(120)
    assert await neighbour.take_over_add(PARTS, image(1).digest, PUMP, Note()) is None
    clock.pass_by(1)
    assert await neighbour.take_over_add(PARTS, image(1).digest, PUMP, Note()) == image(1).data_id
    # The lease began again, and belongs to the other process now.
    assert await ledger.take_over_add(PARTS, image(1).digest, VALVE, Note()) is None
    clock.pass_by(121)
    assert await ledger.take_over_add(PARTS, image(1).digest, VALVE, Note()) == image(1).data_id


async def test_concurrent_take_overs_succeed_once(ledger: SqlLedger, neighbour: SqlLedger) -> None:
    await ledger.begin_add(PARTS, image(1))
    await ledger.mark_doubtful(PARTS, image(1).data_id)
    takers = [each.take_over_add(PARTS, image(1).digest, VALVE, Note()) for each in (ledger, neighbour) * 5]
    taken = await asyncio.gather(*takers)
    assert sorted(taken, key=bool) == [None] * 9 + [image(1).data_id]


async def test_other_pixels_databases_and_confirmed_images_are_not_taken_over(ledger: SqlLedger) -> None:
    await keep(ledger, 1)
    await ledger.begin_add(PARTS, image(2))
    await ledger.mark_doubtful(PARTS, image(2).data_id)
    assert await ledger.take_over_add(PARTS, image(1).digest, VALVE, Note()) is None
    assert await ledger.take_over_add(PARTS, image(3).digest, VALVE, Note()) is None
    assert await ledger.take_over_add(LOGOS, image(2).digest, VALVE, Note()) is None


async def test_begin_add_of_an_unconfirmed_name_takes_it_over(ledger: SqlLedger) -> None:
    assert await ledger.begin_add(PARTS, image(1))
    assert await ledger.begin_add(LOGOS, image(1))
    again = dataclasses.replace(image(2), data_id=image(1).data_id, entity=PUMP)
    assert not await ledger.begin_add(PARTS, again)
    await ledger.confirm_add(PARTS, again.data_id)
    assert await ledger.images(PARTS, [again.data_id]) == {again.data_id: again}
    with pytest.raises(AlreadyAdded):
        await ledger.begin_add(PARTS, again)


async def test_adding_again_cancels_the_pending_deletion(ledger: SqlLedger) -> None:
    await keep(ledger, 1, 2)
    await ledger.delete_images(PARTS, VALVE, None)
    assert not await ledger.begin_add(PARTS, image(1))
    await ledger.confirm_add(PARTS, image(1).data_id)
    assert await due_deletions(ledger) == [("parts_upstream", "p_id_0002")]
    assert await kept(ledger) == ["id_0001"]


async def test_ending_an_add_of_a_deleted_database_does_nothing(ledger: SqlLedger) -> None:
    await ledger.begin_add(PARTS, image(1))
    await ledger.delete_database(PARTS, whole=True)
    await ledger.mark_doubtful(PARTS, image(1).data_id)
    await ledger.abandon_add(PARTS, image(1).data_id)
