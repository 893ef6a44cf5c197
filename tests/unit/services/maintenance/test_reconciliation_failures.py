"""Repair with interruptions, concurrent changes, and failures of the back end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from itertools import count

import pytest

from bot.adapters.memory import MemorySearch
from bot.adapters.port import Capabilities
from bot.domain.errors import BackendError, BackendLost, BackendQuota, BackendTimeout, PictureRefused
from bot.domain.identifiers import DatabaseKey, DataId
from bot.services.maintenance.comparison import DatabaseLocation, Scope
from bot.services.maintenance.repair import MAX_FAILURES_IN_A_ROW
from tests.unit.services.maintenance.inventories import LOGOS, PARTS, Killed, ReconcileCase, case, with_faults

__all__ = ["case"]

ONLY_PARTS = Scope(database=PARTS)


class Hosted(MemorySearch):
    """A hosted service that may hold more than it lists."""

    def __init__(self) -> None:
        super().__init__()
        self.unlisted: dict[DatabaseKey, set[DataId]] = {}
        self.known_keys: list[Collection[DatabaseKey]] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("hosted", 200, deletes_single_images=True, needs_public_url=True)

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        return await super().inventory(database) | self.unlisted.get(database, set())

    async def describe_orphans(self, keys: Collection[DatabaseKey]) -> tuple[str, ...]:
        self.known_keys.append(keys)
        return tuple(f"“{one}” belongs to nobody." for some in self.unlisted.values() for one in sorted(some))

    async def delete_orphans(self, keys: Collection[DatabaseKey]) -> int:
        gone = len(await self.describe_orphans(keys))
        self.unlisted.clear()
        return gone


@pytest.fixture
async def hosted(case: ReconcileCase) -> Hosted:
    """A hosted service with the same images as the case's back end."""
    await case.add(PARTS, 12)
    made = Hosted()
    assert (await case.service_for(made).repair()).complete
    made.known_keys.clear()
    return made


async def make_inconsistent(case: ReconcileCase) -> None:
    """Damage two databases: one lacks images and has orphans, the other is missing in the back end."""
    for record in (await case.add(PARTS, 20))[:18]:
        await case.remove_from_back_end(record)
    for number in range(3):
        await case.add_orphan(PARTS, f"stranger_{number}")
    await case.add(LOGOS, 3)
    await case.visual.delete_database(LOGOS)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_next_run_completes_a_killed_repair(case: ReconcileCase, moment: str) -> None:
    await make_inconsistent(case)
    known = {key: await case.in_catalogue(key) for key in (PARTS, LOGOS)}
    kills = 0
    for survived in count(1):
        visual, faults = with_faults(case.visual)
        calls = 0

        async def die(_operation: str, survived: int = survived) -> None:
            nonlocal calls
            calls += 1
            if calls >= survived:
                raise Killed

        setattr(faults, moment, die)
        try:
            outcome = await case.service_for(visual).repair()
        except Killed:
            kills += 1
            assert {key: await case.in_catalogue(key) for key in known} == known
            continue
        assert outcome.complete
        break
    assert kills > 8
    assert {key: await case.in_back_end(key) for key in known} == known


async def test_stopped_repair_finishes_running_batches_and_resumes_later(case: ReconcileCase) -> None:
    records = await case.add(PARTS, 200)
    for record in records:
        await case.remove_from_back_end(record)
    stop = asyncio.Event()

    def stop_soon(done: int, _total: int) -> None:
        if done:
            stop.set()

    outcome = await case.service.repair(ONLY_PARTS, stop=stop, on_progress=stop_soon)
    [repair] = outcome.repairs
    assert (outcome.interrupted, outcome.complete, repair.interrupted) == (True, False, True)
    assert 0 < repair.added == len(await case.in_back_end(PARTS)) < 200
    outcome = await case.service.repair(ONLY_PARTS)
    assert outcome.complete
    assert outcome.repairs[0].added == 200 - repair.added
    assert await case.in_back_end(PARTS) == await case.in_catalogue(PARTS)


async def test_repair_stopped_before_the_start_does_nothing(case: ReconcileCase) -> None:
    await make_inconsistent(case)
    stop = asyncio.Event()
    stop.set()
    assert (await case.service.repair(stop=stop)).repairs == ()
    report = await case.service.compare(stop=stop)
    assert (report.differences, report.interrupted) == ((), True)


async def test_image_deleted_during_its_repair_stays_deleted(case: ReconcileCase) -> None:
    records = await case.add(PARTS, 3)
    await case.remove_from_back_end(records[0])
    visual, faults = with_faults(case.visual)

    async def deleted(operation: str) -> None:
        if operation == "add_image":
            await case.run_concurrently(case.storage.catalogue.remove(PARTS, records[0].entity, records[0].data_id))

    faults.before = deleted
    outcome = await case.service_for(visual).repair(ONLY_PARTS)
    assert (outcome.repairs[0].added, outcome.complete) == (0, True)
    assert await case.in_back_end(PARTS) == await case.in_catalogue(PARTS)
    assert len(await case.in_back_end(PARTS)) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", ["list_databases", "inventory", "list_images"])
async def test_images_added_during_a_repair_are_kept(case: ReconcileCase, operation: str, moment: str) -> None:
    await case.add(PARTS, 3)
    await case.add_orphan(PARTS)
    visual, faults = with_faults(case.visual)

    async def added(called: str) -> None:
        if called == operation:
            await case.run_concurrently(case.add(PARTS))

    setattr(faults, moment, added)
    outcome = await case.service_for(visual).repair(ONLY_PARTS)
    assert outcome.complete
    assert outcome.repairs[0].removed == 1
    assert len(await case.in_catalogue(PARTS)) == 4
    assert await case.in_back_end(PARTS) == await case.in_catalogue(PARTS)


@pytest.mark.parametrize("operation", ["list_databases", "inventory", "add_image", "delete_images", "create_database"])
async def test_database_deleted_during_a_repair_stays_deleted(case: ReconcileCase, operation: str) -> None:
    await make_inconsistent(case)
    if operation == "create_database":
        await case.visual.delete_database(PARTS)
    visual, faults = with_faults(case.visual)

    async def deleted(called: str) -> None:
        if called == operation:
            faults.before = faults.do_nothing
            await case.run_concurrently(case.databases.delete(PARTS))

    faults.before = deleted
    # The memory back end has no transactions, so for a moment only the catalogue has the database.
    with contextlib.suppress(BackendLost):
        await case.service_for(visual).repair(ONLY_PARTS)
    await case.wait_for_others()
    assert (await case.service.repair(Scope(workspace=PARTS.workspace))).complete
    assert await case.visual.list_databases(PARTS.workspace) == ("logos",)


async def test_refused_picture_is_skipped(case: ReconcileCase, hosted: Hosted) -> None:
    visual, faults = with_faults(hosted)
    adds = 0

    async def refused(operation: str) -> None:
        nonlocal adds
        adds += operation == "add_image"
        if operation == "add_image" and adds == 2:
            raise PictureRefused("The service takes no such picture.")

    faults.before = refused
    await hosted.delete_database(PARTS)
    [repair] = (await case.service_for(visual).repair(ONLY_PARTS)).repairs
    assert (repair.added, repair.complete) == (11, False)
    assert [one.reason for one in repair.skipped] == ["The service takes no such picture."]


async def test_transient_back_end_error_does_not_stop_the_repair(case: ReconcileCase, hosted: Hosted) -> None:
    visual, faults = with_faults(hosted)
    adds = 0

    async def hiccup(operation: str) -> None:
        nonlocal adds
        adds += operation == "add_image"
        if operation == "add_image" and adds % 3 == 0:
            raise BackendTimeout("no answer")

    faults.after = hiccup
    await hosted.delete_database(PARTS)
    [repair] = (await case.service_for(visual).repair(ONLY_PARTS)).repairs
    assert (repair.added, repair.failed, repair.complete) == (8, 4, False)
    # The back end had added the image despite the error.
    outcome = await case.service_for(hosted).repair(ONLY_PARTS)
    assert (outcome.repairs[0].added, outcome.complete) == (0, True)
    assert await case.in_back_end(PARTS, hosted) == await case.in_catalogue(PARTS)


@pytest.mark.parametrize(
    ("error", "calls"), [(BackendTimeout("no answer"), MAX_FAILURES_IN_A_ROW), (BackendQuota("no calls"), 1)]
)
async def test_permanent_failure_ends_the_repair(
    case: ReconcileCase, hosted: Hosted, error: BackendError, calls: int
) -> None:
    visual, faults = with_faults(hosted)
    adds = 0

    async def down(operation: str) -> None:
        nonlocal adds
        adds += operation == "add_image"
        if operation == "add_image":
            raise error

    faults.before = down
    await hosted.delete_database(PARTS)
    with pytest.raises(type(error)):
        await case.service_for(visual).repair(ONLY_PARTS)
    # Each of the other workers may have started a batch.
    assert calls <= adds <= calls + 3


async def test_hosted_service_gets_few_images_concurrently(case: ReconcileCase, hosted: Hosted) -> None:
    visual, faults = with_faults(hosted)
    running, peak = 0, 0

    async def before_call(operation: str) -> None:
        nonlocal running, peak
        running += operation == "add_image"
        peak = max(peak, running)

    async def done(operation: str) -> None:
        nonlocal running
        if operation == "add_image":
            await asyncio.sleep(0.01)
            running -= 1

    faults.before, faults.after = before_call, done
    await hosted.delete_database(PARTS)
    assert (await case.service_for(visual).repair(ONLY_PARTS)).complete
    assert peak == 4


async def test_lost_database_is_recreated(case: ReconcileCase, hosted: Hosted) -> None:
    visual, faults = with_faults(hosted)
    operations: list[str] = []

    async def lost(operation: str) -> None:
        operations.append(operation)
        if operation == "inventory":
            raise BackendLost("no such database")

    faults.before = lost
    [difference] = (await case.service_for(visual).compare(ONLY_PARTS)).differences
    assert (difference.location, difference.held, len(difference.missing)) == (DatabaseLocation.LOST, 0, 12)
    outcome = await case.service_for(visual).repair(ONLY_PARTS)
    assert outcome.complete
    assert outcome.repairs[0].added == 12
    assert [one for one in operations if one.endswith("_database")] == ["delete_database", "create_database"]
    assert await case.in_back_end(PARTS, hosted) == await case.in_catalogue(PARTS)


async def test_orphans_are_reported_and_deleted(case: ReconcileCase, hosted: Hosted) -> None:
    hosted.unlisted[PARTS] = {DataId("left_1"), DataId("left_2")}
    service = case.service_for(hosted)
    report = await service.compare()
    assert report.orphans == ("“left_1” belongs to nobody.", "“left_2” belongs to nobody.")
    assert not report.agrees
    assert sorted(hosted.known_keys[0])[:2] == [LOGOS, PARTS]

    # With a scope of one database, orphans of the service are neither reported nor deleted.
    assert (await service.compare(ONLY_PARTS)).orphans == ()
    [repair] = (await service.repair(ONLY_PARTS)).repairs
    assert (repair.unlisted, repair.complete) == (("left_1", "left_2"), False)

    outcome = await service.repair()
    assert (outcome.orphans_deleted, outcome.complete) == (2, True)
    assert (await service.compare()).agrees


async def test_delete_all_also_deletes_orphans(case: ReconcileCase, hosted: Hosted) -> None:
    hosted.unlisted[PARTS] = {DataId("left_1")}
    assert await case.service_for(hosted).delete_all() == 3
    assert (list(hosted.known_keys[-1]), hosted.unlisted) == ([], {})
