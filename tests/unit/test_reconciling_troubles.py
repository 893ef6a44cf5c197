"""Mending that is interrupted, that others write beside, and that the back end makes hard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from itertools import count

import pytest

from bot.adapters.base import Capabilities
from bot.adapters.memory import MemorySearch
from bot.errors import BackendError, BackendLost, BackendQuota, BackendTimeout, PictureRefused
from bot.models import DatabaseKey, DataId
from bot.services.comparing import Presence, Scope
from bot.services.mending import PATIENCE
from tests.two_sides import LOGOS, PARTS, Killed, Sides, sides, troubled

__all__ = ["sides"]

ONLY_PARTS = Scope(database=PARTS)


class Hosted(MemorySearch):
    """A service elsewhere, at which more may lie than it lists."""

    def __init__(self) -> None:
        super().__init__()
        self.unlisted: dict[DatabaseKey, set[DataId]] = {}
        self.told: list[Collection[DatabaseKey]] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("hosted", 200, deletes_single_images=True, needs_public_url=True)

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        return await super().inventory(database) | self.unlisted.get(database, set())

    async def leftovers(self, keys: Collection[DatabaseKey]) -> tuple[str, ...]:
        self.told.append(keys)
        return tuple(f"“{one}” belongs to nobody." for some in self.unlisted.values() for one in sorted(some))

    async def clear_leftovers(self, keys: Collection[DatabaseKey]) -> int:
        gone = len(await self.leftovers(keys))
        self.unlisted.clear()
        return gone


@pytest.fixture
async def hosted(sides: Sides) -> Hosted:
    """Beside the back end of ``sides``, and with all that it has."""
    await sides.add(PARTS, 12)
    made = Hosted()
    assert (await sides.over(made).mend()).complete
    made.told.clear()
    return made


async def at_odds(sides: Sides) -> None:
    """Two databases to be mended: one with missing images and orphans, the other not there at all."""
    for record in (await sides.add(PARTS, 20))[:18]:
        await sides.lose(record)
    for number in range(3):
        await sides.orphan(PARTS, f"stranger_{number}")
    await sides.add(LOGOS, 3)
    await sides.visual.delete_database(LOGOS)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_at_any_call_the_next_run_completes_it(sides: Sides, moment: str) -> None:
    await at_odds(sides)
    known = {key: await sides.recorded(key) for key in (PARTS, LOGOS)}
    kills = 0
    for survived in count(1):
        visual, trouble = troubled(sides.visual)
        calls = 0

        async def die(_operation: str, survived: int = survived) -> None:
            nonlocal calls
            calls += 1
            if calls >= survived:
                raise Killed

        setattr(trouble, moment, die)
        try:
            outcome = await sides.over(visual).mend()
        except Killed:
            kills += 1
            assert {key: await sides.recorded(key) for key in known} == known
            continue
        assert outcome.complete
        break
    assert kills > 8
    assert {key: await sides.held(key) for key in known} == known


async def test_told_to_stop_it_ends_with_what_is_under_way_and_goes_on_later(sides: Sides) -> None:
    records = await sides.add(PARTS, 200)
    for record in records:
        await sides.lose(record)
    stop = asyncio.Event()

    def stop_soon(done: int, _total: int) -> None:
        if done:
            stop.set()

    outcome = await sides.service.mend(ONLY_PARTS, stop=stop, on_progress=stop_soon)
    [mending] = outcome.mendings
    assert (outcome.interrupted, outcome.complete, mending.interrupted) == (True, False, True)
    assert 0 < mending.added == len(await sides.held(PARTS)) < 200
    outcome = await sides.service.mend(ONLY_PARTS)
    assert outcome.complete
    assert outcome.mendings[0].added == 200 - mending.added
    assert await sides.held(PARTS) == await sides.recorded(PARTS)


async def test_told_to_stop_at_once_it_begins_nothing(sides: Sides) -> None:
    await at_odds(sides)
    stop = asyncio.Event()
    stop.set()
    assert (await sides.service.mend(stop=stop)).mendings == ()
    report = await sides.service.examine(stop=stop)
    assert (report.findings, report.interrupted) == ((), True)


async def test_what_is_deleted_while_it_is_added_again_does_not_come_back(sides: Sides) -> None:
    records = await sides.add(PARTS, 3)
    await sides.lose(records[0])
    visual, trouble = troubled(sides.visual)

    async def deleted(operation: str) -> None:
        if operation == "add_image":
            await sides.apart(sides.storage.catalogue.remove(PARTS, records[0].entity, records[0].data_id))

    trouble.before = deleted
    outcome = await sides.over(visual).mend(ONLY_PARTS)
    assert (outcome.mendings[0].added, outcome.complete) == (0, True)
    assert await sides.held(PARTS) == await sides.recorded(PARTS)
    assert len(await sides.held(PARTS)) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", ["list_databases", "inventory", "list_images"])
async def test_what_is_added_meanwhile_is_left_as_it_is(sides: Sides, operation: str, moment: str) -> None:
    await sides.add(PARTS, 3)
    await sides.orphan(PARTS)
    visual, trouble = troubled(sides.visual)

    async def added(called: str) -> None:
        if called == operation:
            await sides.apart(sides.add(PARTS))

    setattr(trouble, moment, added)
    outcome = await sides.over(visual).mend(ONLY_PARTS)
    assert outcome.complete
    assert outcome.mendings[0].removed == 1
    assert len(await sides.recorded(PARTS)) == 4
    assert await sides.held(PARTS) == await sides.recorded(PARTS)


@pytest.mark.parametrize("operation", ["list_databases", "inventory", "add_image", "delete_images", "create_database"])
async def test_a_database_that_is_deleted_meanwhile_stays_deleted(sides: Sides, operation: str) -> None:
    await at_odds(sides)
    if operation == "create_database":
        await sides.visual.delete_database(PARTS)
    visual, trouble = troubled(sides.visual)

    async def deleted(called: str) -> None:
        if called == operation:
            trouble.before = trouble.well
            await sides.apart(sides.databases.delete(PARTS))

    trouble.before = deleted
    # The reference back end knows no transaction: for a moment only the catalogue still has the database.
    with contextlib.suppress(BackendLost):
        await sides.over(visual).mend(ONLY_PARTS)
    await sides.others_are_done()
    assert (await sides.service.mend(Scope(workspace=PARTS.workspace))).complete
    assert await sides.visual.list_databases(PARTS.workspace) == ("logos",)


async def test_one_picture_that_is_refused_stops_no_other(sides: Sides, hosted: Hosted) -> None:
    visual, trouble = troubled(hosted)
    adds = 0

    async def refused(operation: str) -> None:
        nonlocal adds
        adds += operation == "add_image"
        if operation == "add_image" and adds == 2:
            raise PictureRefused("The service takes no such picture.")

    trouble.before = refused
    await hosted.delete_database(PARTS)
    [mending] = (await sides.over(visual).mend(ONLY_PARTS)).mendings
    assert (mending.added, mending.complete) == (11, False)
    assert [one.reason for one in mending.left_out] == ["The service takes no such picture."]


async def test_a_hiccup_of_the_back_end_is_put_up_with(sides: Sides, hosted: Hosted) -> None:
    visual, trouble = troubled(hosted)
    adds = 0

    async def hiccup(operation: str) -> None:
        nonlocal adds
        adds += operation == "add_image"
        if operation == "add_image" and adds % 3 == 0:
            raise BackendTimeout("no answer")

    trouble.after = hiccup
    await hosted.delete_database(PARTS)
    [mending] = (await sides.over(visual).mend(ONLY_PARTS)).mendings
    assert (mending.added, mending.failed, mending.complete) == (8, 4, False)
    # Its work had been done all the same.
    outcome = await sides.over(hosted).mend(ONLY_PARTS)
    assert (outcome.mendings[0].added, outcome.complete) == (0, True)
    assert await sides.held(PARTS, hosted) == await sides.recorded(PARTS)


@pytest.mark.parametrize(("error", "calls"), [(BackendTimeout("no answer"), PATIENCE), (BackendQuota("no calls"), 1)])
async def test_a_back_end_that_fails_for_good_ends_it(
    sides: Sides, hosted: Hosted, error: BackendError, calls: int
) -> None:
    visual, trouble = troubled(hosted)
    adds = 0

    async def down(operation: str) -> None:
        nonlocal adds
        adds += operation == "add_image"
        if operation == "add_image":
            raise error

    trouble.before = down
    await hosted.delete_database(PARTS)
    with pytest.raises(type(error)):
        await sides.over(visual).mend(ONLY_PARTS)
    # The other workers may have begun one each.
    assert calls <= adds <= calls + 3


async def test_a_service_elsewhere_gets_a_few_images_at_once(sides: Sides, hosted: Hosted) -> None:
    visual, trouble = troubled(hosted)
    under_way, most = 0, 0

    async def begun(operation: str) -> None:
        nonlocal under_way, most
        under_way += operation == "add_image"
        most = max(most, under_way)

    async def done(operation: str) -> None:
        nonlocal under_way
        if operation == "add_image":
            await asyncio.sleep(0.01)
            under_way -= 1

    trouble.before, trouble.after = begun, done
    await hosted.delete_database(PARTS)
    assert (await sides.over(visual).mend(ONLY_PARTS)).complete
    assert most == 4


async def test_a_database_that_the_service_lost_is_written_off_and_made_anew(sides: Sides, hosted: Hosted) -> None:
    visual, trouble = troubled(hosted)
    operations: list[str] = []

    async def lost(operation: str) -> None:
        operations.append(operation)
        if operation == "inventory":
            raise BackendLost("no such database")

    trouble.before = lost
    [finding] = (await sides.over(visual).examine(ONLY_PARTS)).findings
    assert (finding.presence, finding.held, len(finding.missing)) == (Presence.LOST, 0, 12)
    outcome = await sides.over(visual).mend(ONLY_PARTS)
    assert outcome.complete
    assert outcome.mendings[0].added == 12
    assert [one for one in operations if one.endswith("_database")] == ["delete_database", "create_database"]
    assert await sides.held(PARTS, hosted) == await sides.recorded(PARTS)


async def test_leftovers_are_told_and_cleared_away(sides: Sides, hosted: Hosted) -> None:
    hosted.unlisted[PARTS] = {DataId("left_1"), DataId("left_2")}
    service = sides.over(hosted)
    report = await service.examine()
    assert report.leftovers == ("“left_1” belongs to nobody.", "“left_2” belongs to nobody.")
    assert not report.agrees
    assert sorted(hosted.told[0])[:2] == [LOGOS, PARTS]

    # A look at one database says nothing of others, and clears nothing.
    assert (await service.examine(ONLY_PARTS)).leftovers == ()
    [mending] = (await service.mend(ONLY_PARTS)).mendings
    assert (mending.unlisted, mending.complete) == (("left_1", "left_2"), False)

    outcome = await service.mend()
    assert (outcome.cleared, outcome.complete) == (2, True)
    assert (await service.examine()).agrees


async def test_retiring_a_service_leaves_nothing_there(sides: Sides, hosted: Hosted) -> None:
    hosted.unlisted[PARTS] = {DataId("left_1")}
    assert await sides.over(hosted).clear() == 3
    assert (list(hosted.told[-1]), hosted.unlisted) == ([], {})
