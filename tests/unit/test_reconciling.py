"""Comparing catalogue and back end, mending what is at odds, and moving from one back end to another."""

from __future__ import annotations

import random

import pytest

from bot.adapters.memory import MemorySearch
from bot.errors import ModelMismatch, UnknownDatabase
from bot.models import SERVED, DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.services.comparing import Presence, Scope
from bot.storage.pictures import FilePictures
from tests.fakes.analyser import painted
from tests.two_sides import LOGOS, PARTS, TEAM, THEIRS, Sides, engine, sides

__all__ = ["sides"]

STRAY = DatabaseKey(TEAM, DatabaseName("stray"))


async def test_there_is_nothing_to_mend_where_both_agree(sides: Sides) -> None:
    await sides.add(PARTS, 3)
    report = await sides.service.examine()
    assert report.agrees
    assert [(finding.key, finding.recorded, finding.held) for finding in report.findings] == [
        (LOGOS, 0, 0),
        (PARTS, 3, 3),
        (THEIRS, 0, 0),
    ]
    outcome = await sides.service.mend()
    assert outcome.complete
    assert not any(mending.added or mending.removed for mending in outcome.mendings)


async def test_what_is_missing_and_what_nobody_knows_is_found_and_changed_only_on_demand(sides: Sides) -> None:
    records = await sides.add(PARTS, 5)
    before = await sides.held(PARTS)
    for record in records[1:3]:
        await sides.lose(record)
    stranger = await sides.orphan(PARTS)
    for _ in range(2):
        report = await sides.service.examine(Scope(database=PARTS))
        [finding] = report.findings
        assert not report.agrees
        assert (finding.recorded, finding.held, finding.orphans) == (5, 4, (stranger,))
        assert set(finding.missing) == {record.data_id for record in records[1:3]}
    outcome = await sides.service.mend(Scope(database=PARTS))
    assert outcome.complete
    assert [(mending.added, mending.removed) for mending in outcome.mendings] == [(2, 1)]
    assert await sides.held(PARTS) == before == await sides.recorded(PARTS)
    assert (await sides.service.examine()).agrees


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_at_odds_both_are_equal_afterwards_and_nothing_is_lost(sides: Sides, seed: int) -> None:
    chance = random.Random(seed)
    for key in (PARTS, LOGOS, THEIRS):
        records = await sides.add(key, chance.randrange(40))
        for record in records:
            if chance.random() < chance.choice((0.1, 0.9)):
                await sides.lose(record)
        for number in range(chance.randrange(5)):
            # Some under the names of entities that are known.
            await sides.orphan(key, chance.choice(("stranger", "part")) + f"_{number}")
    known = {key: await sides.recorded(key) for key in (PARTS, LOGOS, THEIRS)}
    if seed == 1:
        await sides.visual.delete_database(LOGOS)
        await sides.visual.create_database(STRAY)
        await sides.orphan(STRAY)
    assert (await sides.service.mend()).complete
    for key, images in known.items():
        assert await sides.recorded(key) == await sides.held(key) == images
    assert (await sides.service.examine()).agrees


async def test_an_image_that_came_back_is_found_by_its_picture(sides: Sides) -> None:
    [record, *_] = await sides.add(PARTS, 3)
    await sides.lose(record)
    await sides.service.mend()
    best = (await sides.visual.search(PARTS, painted(1)))[0]
    assert (best.data_id, best.entity, best.note) == (record.data_id, record.entity, record.note)


async def test_databases_that_one_side_lacks_are_made_and_deleted(sides: Sides) -> None:
    await sides.add(PARTS, 2)
    await sides.visual.delete_database(PARTS)
    await sides.visual.create_database(STRAY)
    await sides.orphan(STRAY)
    report = await sides.service.examine(Scope(workspace=TEAM))
    assert [(finding.key, finding.presence) for finding in report.findings] == [
        (LOGOS, Presence.BOTH),
        (PARTS, Presence.CATALOGUE),
        (STRAY, Presence.BACK_END),
    ]
    assert not report.agrees
    outcome = await sides.service.mend(Scope(workspace=TEAM))
    assert outcome.complete
    assert [(mending.added, mending.removed) for mending in outcome.mendings] == [(0, 0), (2, 0), (0, 1)]
    assert await sides.visual.list_databases(TEAM) == ("logos", "parts")
    assert await sides.held(PARTS) == await sides.recorded(PARTS)


async def test_only_what_is_in_scope_is_touched(sides: Sides) -> None:
    for key in (PARTS, LOGOS, THEIRS):
        await sides.lose((await sides.add(key))[0])
    await sides.service.mend(Scope(database=PARTS))
    assert [len(await sides.held(key)) for key in (PARTS, LOGOS, THEIRS)] == [1, 0, 0]
    await sides.service.mend(Scope(workspace=TEAM))
    assert [len(await sides.held(key)) for key in (PARTS, LOGOS, THEIRS)] == [1, 1, 0]
    await sides.service.mend()
    assert [len(await sides.held(key)) for key in (PARTS, LOGOS, THEIRS)] == [1, 1, 1]


async def test_the_databases_of_the_served_api_are_never_touched(sides: Sides) -> None:
    served = DatabaseKey(WorkspaceId(SERVED + "0123"), DatabaseName("theirs"))
    await sides.visual.create_database(served)
    await sides.visual.add_image(served, painted(1), EntityId("one"), Note())
    # A workspace of that name that is connected does not change it.
    await sides.storage.catalogue.adopt(served.workspace)
    assert (await sides.service.examine()).agrees
    await sides.service.mend()
    await sides.service.clear()
    assert len(await sides.visual.inventory(served)) == 1


async def test_all_is_moved_to_another_back_end_under_the_same_names(sides: Sides) -> None:
    await sides.add(PARTS, 40)
    await sides.add(THEIRS, 3)
    other = engine(sides.storage) if isinstance(sides.visual, MemorySearch) else MemorySearch()
    moving = sides.over(other)
    seen: list[tuple[int, int]] = []
    outcome = await moving.mend(on_progress=lambda done, total: seen.append((done, total)))
    assert outcome.complete
    assert sum(mending.added for mending in outcome.mendings) == 43
    assert seen == sorted(seen)
    assert seen[-1] == (43, 43)
    for key in (PARTS, LOGOS, THEIRS):
        assert await sides.held(key, other) == await sides.held(key) == await sides.recorded(key)
    # What came and went meanwhile follows with the next run, which finds the rest done.
    [fresh] = await sides.add(PARTS)
    await sides.deleting.delete(THEIRS, EntityId("part_21"))
    await sides.databases.delete(LOGOS)
    outcome = await moving.mend()
    assert [(mending.finding.key, mending.added, mending.removed) for mending in outcome.mendings] == [
        (LOGOS, 0, 0),
        (PARTS, 1, 0),
        (THEIRS, 0, 2),
    ]
    assert fresh.data_id in await other.inventory(PARTS)
    assert await sides.held(THEIRS, other) == await sides.recorded(THEIRS)
    with pytest.raises(UnknownDatabase):
        await other.inventory(LOGOS)


async def test_a_back_end_that_is_not_used_any_more_is_cleared(sides: Sides) -> None:
    await sides.add(PARTS, 3)
    await sides.add(THEIRS, 2)
    holdings = await sides.service.holdings()
    assert [(holding.key, holding.images) for holding in holdings] == [(LOGOS, 0), (PARTS, 3), (THEIRS, 2)]
    assert await sides.service.clear() == 3
    assert await sides.service.holdings() == ()
    assert len(await sides.recorded(PARTS)) == 3
    assert await sides.service.clear() == 0
    # It can be filled again: pictures and catalogue stay.
    assert (await sides.service.mend()).complete
    assert await sides.held(PARTS) == await sides.recorded(PARTS)


@pytest.mark.parametrize("stored", [None, b"torn"])
async def test_an_image_whose_stored_picture_can_not_be_read_is_told_and_stays_known(
    sides: Sides, stored: bytes | None
) -> None:
    records = await sides.add(PARTS, 4)
    known = await sides.recorded(PARTS)
    for record in records[:2]:
        await sides.lose(record)
    pictures = sides.storage.pictures
    assert isinstance(pictures, FilePictures)
    path = pictures._path(records[0].digest)
    path.unlink()
    if stored:
        path.write_bytes(stored)
    [finding] = (await sides.service.examine(Scope(database=PARTS))).findings
    assert [one.data_id for one in finding.unreadable] == [records[0].data_id]
    outcome = await sides.service.mend(Scope(database=PARTS))
    [mending] = outcome.mendings
    assert not outcome.complete
    assert (mending.added, mending.left_out) == (1, finding.unreadable)
    assert finding.unreadable[0].reason == (
        "Its stored picture can't be read." if stored else "Its stored picture is gone."
    )
    assert await sides.recorded(PARTS) == known
    assert len(await sides.held(PARTS)) == 3


async def test_a_database_of_another_model_has_to_be_reindexed_first(sides: Sides) -> None:
    records = await sides.add(PARTS, 2)
    other = engine(sides.storage, "another-model")
    if isinstance(sides.visual, MemorySearch):
        await sides.over(engine(sides.storage)).mend()
    await other.delete_images(PARTS, records[0].entity, records[0].data_id)
    with pytest.raises(ModelMismatch):
        await sides.over(other).mend()
    assert await other.inventory(PARTS) == {DataId(records[1].data_id)}
