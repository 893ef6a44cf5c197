"""Adds in doubt: no image is lost, and none is stored twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.errors import (
    BackendDown,
    BackendError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    PictureRefused,
)
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pictures import Picture
from bot.services.channels.collection import FileWithdrawn
from tests.fakes.hosted import HostedService, StoredImage
from tests.fakes.hosted import misbehaviours as bad
from tests.fakes.jobs import eventually
from tests.fixtures.hosted_back_end import HostedBackEnd, account_of, hosted_back_end
from tests.fixtures.scenes import picture, scene

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
VALVE, PUMP = EntityId("valve"), EntityId("pump")


def picture_of(seed: int) -> Picture:
    return picture(scene(seed))


@pytest.fixture
async def service() -> AsyncIterator[HostedService]:
    async with HostedService() as service:
        yield service


@pytest.fixture
async def hosted(service: HostedService, tmp_path: Path) -> AsyncIterator[HostedBackEnd]:
    async with hosted_back_end(tmp_path, account_of(service)) as hosted:
        await hosted.visual.create_database(PARTS)
        yield hosted


async def add_and_roll_back(hosted: HostedBackEnd) -> None:
    """Add an image in a unit that is rolled back."""
    async with hosted.storage.unit():
        await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
        raise FileWithdrawn("F1")


def stored(service: HostedService) -> tuple[StoredImage, ...]:
    return service.images_of(service.names[0])


@pytest.mark.parametrize("trouble", [bad.html(502), bad.hang_up(), bad.truncated(), bad.empty_body(), bad.gateway(-3)])
async def test_failed_add_that_was_carried_out_is_found(
    hosted: HostedBackEnd, service: HostedService, trouble: bad.Misbehaviour
) -> None:
    service.next("add", bad.done_then(trouble))
    data_id = await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert [match.data_id for match in await hosted.visual.search(PARTS, picture_of(1))] == [data_id]
    assert len(stored(service)) == len(service.calls_of("add")) == 1


async def test_add_that_is_listed_late_is_waited_for(hosted: HostedBackEnd, service: HostedService) -> None:
    service.hide_new_images(listings=1)
    service.next("add", bad.done_then(bad.html(502)))
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert len(stored(service)) == len(service.calls_of("add")) == 1


async def test_add_that_is_listed_too_late_is_taken_over_by_the_next_attempt(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    service.hide_new_images(listings=3)
    service.next("add", bad.done_then(bad.html(502)))
    with pytest.raises(BackendError):
        await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert await hosted.visual.search(PARTS, picture_of(1)) == ()
    data_id = await hosted.visual.add_image(PARTS, picture_of(1), PUMP, Note("second try"))
    [match] = await hosted.visual.search(PARTS, picture_of(1))
    assert (match.data_id, match.entity, match.note) == (data_id, "pump", "second try")
    assert len(stored(service)) == len(service.calls_of("add")) == 1


async def test_add_that_was_not_carried_out_is_sent_again_under_its_id(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    service.next("add", bad.html(502))
    with pytest.raises(BackendDown):
        await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    data_id = await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert [image.entity[-32:] for image in stored(service)] == [data_id]
    first, second = service.calls_of("add")
    assert first.form["EntityId"] == second.form["EntityId"]


async def test_add_in_doubt_is_not_sent_again_while_the_listing_fails(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    service.next("add", bad.html(502))
    service.always("list", bad.html(502))
    with pytest.raises(BackendDown):
        await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    with pytest.raises(BackendError):
        await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert len(service.calls_of("add")) == 1


async def test_refused_add_leaves_nothing_unsettled(hosted: HostedBackEnd, service: HostedService) -> None:
    service.next("add", bad.upstream("InvalidFile.Content", 400))
    with pytest.raises(PictureRefused):
        await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert await hosted.storage.ledger.unsettled_images(PARTS) == frozenset()
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert len(service.calls_of("list")) == 0


async def test_rolled_back_add_is_deleted_at_the_service(hosted: HostedBackEnd, service: HostedService) -> None:
    with pytest.raises(FileWithdrawn):
        await add_and_roll_back(hosted)
    assert await hosted.visual.search(PARTS, picture_of(1)) == ()
    assert len(stored(service)) == 1
    await hosted.upkeep.run_once()
    assert stored(service) == ()


async def test_add_of_a_dead_process_is_taken_over(hosted: HostedBackEnd, service: HostedService) -> None:
    service.next("add", bad.done_then(bad.silent(30)))
    adding = asyncio.create_task(hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note()))
    await eventually(lambda: bool(service.calls_of("add")))
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert len(stored(service)) == len(service.calls_of("add")) == 1


async def test_unconfirmed_add_expires(hosted: HostedBackEnd, service: HostedService) -> None:
    service.always("list", bad.html(502))
    service.next("add", bad.done_then(bad.html(502)))
    with pytest.raises(BackendError):
        await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    service.behave()
    await eventually(lambda: not hosted.client.is_down)
    await hosted.upkeep.run_once()
    assert len(stored(service)) == 1
    hosted.clock.ahead = timedelta(minutes=11)
    await hosted.upkeep.run_once()
    assert stored(service) == ()


async def test_concurrent_adds_are_each_stored_once(hosted: HostedBackEnd, service: HostedService) -> None:
    for _ in range(3):
        service.next("add", bad.done_then(bad.html(502)), bad.html(502), bad.throttled())

    async def add(seed: int) -> None:
        while True:
            try:
                await hosted.visual.add_image(PARTS, picture_of(seed), EntityId(f"part_{seed}"), Note())
            except (BackendDown, BackendTimeout, BackendThrottled):
                # While the circuit is open, a throttled call is not retried.
                continue
            return

    await asyncio.gather(*(add(seed) for seed in range(12)))
    assert len(stored(service)) == 12
    assert {image.extra for image in stored(service)} == {""}
    found = await hosted.visual.inventory(PARTS)
    assert len(found) == 12


async def test_image_keeps_the_data_id_of_another_back_end(hosted: HostedBackEnd, service: HostedService) -> None:
    name = DataId("0123456789ab" * 2)
    assert await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note(), name) == name
    assert await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note(), name) == name
    assert len(stored(service)) == len(service.calls_of("add")) == 1
    service.databases.named(service.names[0]).images.clear()
    # The image is so recent that the service may not list it yet.
    assert await hosted.visual.inventory(PARTS) == {name}
    assert await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note(), name) == name
    assert len(stored(service)) == 1


async def test_orphans_are_described_and_deleted_but_not_images_of_others(
    hosted: HostedBackEnd, service: HostedService, tmp_path: Path
) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    other = DatabaseKey(PARTS.workspace, DatabaseName("other"))
    async with hosted_back_end(tmp_path / "elsewhere", account_of(service)) as elsewhere:
        await elsewhere.visual.create_database(other)
    [location] = await hosted.storage.pending_deletions.databases()
    await hosted.client.create_database(hosted.namer.new_upstream(PARTS, hosted.namer.new_prefix(PARTS)))
    [name] = [name for name in service.names if name.startswith("parts_") and name != location.upstream]
    service.fill(location.upstream, 2, prefix=f"{location.prefix}lost")
    service.fill(location.upstream, 1, prefix="somebodys")
    assert await hosted.visual.describe_orphans([PARTS]) == (
        f"The hosted service has an orphaned database, {name}.",
        f"The hosted service has 2 orphaned images in {location.upstream}.",
    )
    assert await hosted.visual.delete_orphans([PARTS]) == 3
    assert await hosted.visual.describe_orphans([PARTS]) == ()
    assert len(service.names) == 2
    assert len(service.images_of(location.upstream)) == 2


async def test_deleting_orphans_retries_postponed_deletions(hosted: HostedBackEnd, service: HostedService) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    await hosted.visual.delete_images(PARTS, VALVE)
    service.always("delete", bad.html(200))
    await hosted.upkeep.run_once()
    with pytest.raises(BackendRefused, match="refused 1 pending deletion,"):
        await hosted.visual.delete_orphans([PARTS])
    service.behave()
    assert await hosted.upkeep.run_once() == 0
    assert len(stored(service)) == 1
    assert await hosted.visual.delete_orphans([PARTS]) == 1
    assert stored(service) == ()
