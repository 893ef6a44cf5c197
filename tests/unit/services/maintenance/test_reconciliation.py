"""Reconciliation: compare catalogue and back end, repair differences, and migrate to another back end."""

from __future__ import annotations

import random

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.errors import ModelMismatch, UnknownDatabase
from bot.domain.identifiers import API_WORKSPACE_PREFIX, DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.services.maintenance.comparison import DatabaseLocation, Scope
from bot.storage.pictures.file_store import FilePictures
from tests.fakes.features import random_picture
from tests.unit.services.maintenance.inventories import LOGOS, PARTS, TEAM, THEIRS, ReconcileCase, case, engine

__all__ = ["case"]

STRAY = DatabaseKey(TEAM, DatabaseName("stray"))


async def test_equal_sides_need_no_repair(case: ReconcileCase) -> None:
    await case.add(PARTS, 3)
    report = await case.service.compare()
    assert report.agrees
    assert [(difference.key, difference.recorded, difference.held) for difference in report.differences] == [
        (LOGOS, 0, 0),
        (PARTS, 3, 3),
        (THEIRS, 0, 0),
    ]
    outcome = await case.service.repair()
    assert outcome.complete
    assert not any(repair.added or repair.removed for repair in outcome.repairs)


async def test_compare_reports_missing_images_and_orphans_without_changes(case: ReconcileCase) -> None:
    records = await case.add(PARTS, 5)
    before = await case.in_back_end(PARTS)
    for record in records[1:3]:
        await case.remove_from_back_end(record)
    stranger = await case.add_orphan(PARTS)
    for _ in range(2):
        report = await case.service.compare(Scope(database=PARTS))
        [difference] = report.differences
        assert not report.agrees
        assert (difference.recorded, difference.held, difference.orphans) == (5, 4, (stranger,))
        assert set(difference.missing) == {record.data_id for record in records[1:3]}
    outcome = await case.service.repair(Scope(database=PARTS))
    assert outcome.complete
    assert [(repair.added, repair.removed) for repair in outcome.repairs] == [(2, 1)]
    assert await case.in_back_end(PARTS) == before == await case.in_catalogue(PARTS)
    assert (await case.service.compare()).agrees


@pytest.mark.parametrize("seed", range(4))
async def test_repair_makes_both_sides_equal_and_loses_nothing(case: ReconcileCase, seed: int) -> None:
    chance = random.Random(seed)
    for key in (PARTS, LOGOS, THEIRS):
        records = await case.add(key, chance.randrange(40))
        for record in records:
            if chance.random() < chance.choice((0.1, 0.9)):
                await case.remove_from_back_end(record)
        for number in range(chance.randrange(5)):
            # Some orphans have the entity of a known image.
            await case.add_orphan(key, chance.choice(("stranger", "part")) + f"_{number}")
    known = {key: await case.in_catalogue(key) for key in (PARTS, LOGOS, THEIRS)}
    if seed == 1:
        await case.visual.delete_database(LOGOS)
        await case.visual.create_database(STRAY)
        await case.add_orphan(STRAY)
    assert (await case.service.repair()).complete
    for key, images in known.items():
        assert await case.in_catalogue(key) == await case.in_back_end(key) == images
    assert (await case.service.compare()).agrees


async def test_restored_image_is_found_by_search(case: ReconcileCase) -> None:
    [record, *_] = await case.add(PARTS, 3)
    await case.remove_from_back_end(record)
    await case.service.repair()
    best = (await case.visual.search(PARTS, random_picture(1)))[0]
    assert (best.data_id, best.entity, best.note) == (record.data_id, record.entity, "")


async def test_missing_databases_are_created_and_orphaned_ones_deleted(case: ReconcileCase) -> None:
    await case.add(PARTS, 2)
    await case.visual.delete_database(PARTS)
    await case.visual.create_database(STRAY)
    await case.add_orphan(STRAY)
    report = await case.service.compare(Scope(workspace=TEAM))
    assert [(difference.key, difference.location) for difference in report.differences] == [
        (LOGOS, DatabaseLocation.BOTH),
        (PARTS, DatabaseLocation.CATALOGUE),
        (STRAY, DatabaseLocation.BACK_END),
    ]
    assert not report.agrees
    outcome = await case.service.repair(Scope(workspace=TEAM))
    assert outcome.complete
    assert [(repair.added, repair.removed) for repair in outcome.repairs] == [(0, 0), (2, 0), (0, 1)]
    assert await case.visual.list_databases(TEAM) == ("logos", "parts")
    assert await case.in_back_end(PARTS) == await case.in_catalogue(PARTS)


async def test_databases_out_of_scope_are_not_changed(case: ReconcileCase) -> None:
    for key in (PARTS, LOGOS, THEIRS):
        await case.remove_from_back_end((await case.add(key))[0])
    await case.service.repair(Scope(database=PARTS))
    assert [len(await case.in_back_end(key)) for key in (PARTS, LOGOS, THEIRS)] == [1, 0, 0]
    await case.service.repair(Scope(workspace=TEAM))
    assert [len(await case.in_back_end(key)) for key in (PARTS, LOGOS, THEIRS)] == [1, 1, 0]
    await case.service.repair()
    assert [len(await case.in_back_end(key)) for key in (PARTS, LOGOS, THEIRS)] == [1, 1, 1]


async def test_databases_of_the_api_server_are_never_changed(case: ReconcileCase) -> None:
    served = DatabaseKey(WorkspaceId(API_WORKSPACE_PREFIX + "0123"), DatabaseName("theirs"))
    await case.visual.create_database(served)
    await case.visual.add_image(served, random_picture(1), EntityId("one"), Note())
    # This holds even if the catalogue has a workspace of that name.
    await case.storage.catalogue.record_workspace(served.workspace)
    assert (await case.service.compare()).agrees
    await case.service.repair()
    await case.service.delete_all()
    assert len(await case.visual.inventory(served)) == 1


async def test_repair_fills_another_back_end_with_the_same_data_ids(case: ReconcileCase) -> None:
    await case.add(PARTS, 40)
    await case.add(THEIRS, 3)
    other = engine(case.storage) if isinstance(case.visual, MemorySearch) else MemorySearch()
    moving = case.service_for(other)
    seen: list[tuple[int, int]] = []
    outcome = await moving.repair(on_progress=lambda done, total: seen.append((done, total)))
    assert outcome.complete
    assert sum(repair.added for repair in outcome.repairs) == 43
    assert seen == sorted(seen)
    assert seen[-1] == (43, 43)
    for key in (PARTS, LOGOS, THEIRS):
        assert await case.in_back_end(key, other) == await case.in_back_end(key) == await case.in_catalogue(key)
    # The next run transfers only what changed in the meantime.
    [fresh] = await case.add(PARTS)
    await case.deletions.delete(THEIRS, EntityId("part_21"))
    await case.databases.delete(LOGOS)
    outcome = await moving.repair()
    assert [(repair.difference.key, repair.added, repair.removed) for repair in outcome.repairs] == [
        (LOGOS, 0, 0),
        (PARTS, 1, 0),
        (THEIRS, 0, 2),
    ]
    assert fresh.data_id in await other.inventory(PARTS)
    assert await case.in_back_end(THEIRS, other) == await case.in_catalogue(THEIRS)
    with pytest.raises(UnknownDatabase):
        await other.inventory(LOGOS)


async def test_delete_all_empties_the_back_end(case: ReconcileCase) -> None:
    await case.add(PARTS, 3)
    await case.add(THEIRS, 2)
    holdings = await case.service.backend_databases()
    assert [(holding.key, holding.images) for holding in holdings] == [(LOGOS, 0), (PARTS, 3), (THEIRS, 2)]
    assert await case.service.delete_all() == 3
    assert await case.service.backend_databases() == ()
    assert len(await case.in_catalogue(PARTS)) == 3
    assert await case.service.delete_all() == 0
    # Pictures and catalogue stay, so the back end can be filled again.
    assert (await case.service.repair()).complete
    assert await case.in_back_end(PARTS) == await case.in_catalogue(PARTS)


@pytest.mark.parametrize("stored", [None, b"torn"])
async def test_unreadable_picture_is_reported_and_stays_in_the_catalogue(
    case: ReconcileCase, stored: bytes | None
) -> None:
    records = await case.add(PARTS, 4)
    known = await case.in_catalogue(PARTS)
    for record in records[:2]:
        await case.remove_from_back_end(record)
    pictures = case.storage.pictures
    assert isinstance(pictures, FilePictures)
    path = pictures._path(records[0].digest)
    path.unlink()
    if stored:
        path.write_bytes(stored)
    [difference] = (await case.service.compare(Scope(database=PARTS))).differences
    assert [one.data_id for one in difference.unreadable] == [records[0].data_id]
    outcome = await case.service.repair(Scope(database=PARTS))
    [repair] = outcome.repairs
    assert not outcome.complete
    assert (repair.added, repair.skipped) == (1, difference.unreadable)
    assert difference.unreadable[0].reason == (
        "Its stored picture can't be read." if stored else "Its stored picture is gone."
    )
    assert await case.in_catalogue(PARTS) == known
    assert len(await case.in_back_end(PARTS)) == 3


async def test_database_of_another_model_raises_model_mismatch(case: ReconcileCase) -> None:
    records = await case.add(PARTS, 2)
    other = engine(case.storage, "another-model")
    if isinstance(case.visual, MemorySearch):
        await case.service_for(engine(case.storage)).repair()
    await other.delete_images(PARTS, records[0].entity, records[0].data_id)
    with pytest.raises(ModelMismatch):
        await case.service_for(other).repair()
    assert await other.inventory(PARTS) == {DataId(records[1].data_id)}
