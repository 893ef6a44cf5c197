"""Databases are deleted in short transactions, and their remaining rows are invisible meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.catalogue import OriginScope
from bot.domain.channels import ChannelBinding
from bot.domain.errors import ChangedSince, UnknownDatabase
from bot.domain.identifiers import EntityId
from bot.domain.pages import PageRequest
from bot.services.databases import finish_deletions
from bot.storage.removals.deleted_databases import new_batch_size
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import random_picture
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.removals.services import IMAGES, OTHERS, PARTS, SECRET, TEAM, Services


async def test_deleted_database_is_invisible_while_rows_are_left(services: Services) -> None:
    storage = services.storage
    await services.databases.create(PARTS)
    await services.fill(PARTS, range(IMAGES))
    await storage.bindings.put(ChannelBinding(TEAM, "C1", database=PARTS.name))
    info = await services.databases.mark_deleted(PARTS)
    assert info.images == IMAGES
    assert 0 < await storage.deleted.remaining() < IMAGES
    assert await storage.catalogue.databases(TEAM) == ()
    assert await storage.catalogue.workspaces() == ()
    assert await storage.catalogue.with_origins(OriginScope(TEAM, file=f"F{IMAGES - 1}"), 10) == ()
    later = datetime.now(UTC) + timedelta(days=1)
    assert await storage.catalogue.with_origins(OriginScope(None, before=later), 10) == ()
    assert not await storage.catalogue.holds(TEAM, random_picture(IMAGES - 1).digest)
    assert await services.visual.list_databases(TEAM) == ()
    assert await storage.vectors.read(lambda rows: rows.models()) == []
    [binding] = await storage.bindings.all(TEAM)
    assert binding.database is None
    with pytest.raises(UnknownDatabase):
        await services.visual.search(PARTS, random_picture(1))


async def test_name_is_free_at_once_and_the_new_database_is_left_alone(services: Services) -> None:
    await services.databases.create(PARTS)
    await services.fill(PARTS, range(IMAGES))
    await services.databases.mark_deleted(PARTS)
    await services.databases.create(PARTS)
    await services.fill(PARTS, range(5))
    await services.databases.finish_deletions()
    assert (await services.databases.find(PARTS)).images == 5
    assert len(await services.visual.inventory(PARTS)) == 5
    assert await services.stored() == 5


async def test_another_process_finishes_a_deletion(services: Services, storage_place: StoragePlace) -> None:
    await services.databases.create(PARTS)
    await services.fill(PARTS, range(IMAGES))
    await services.databases.mark_deleted(PARTS)
    other = await storage_place.open()
    try:
        steps: list[tuple[int, int]] = []
        assert await finish_deletions(other, lambda done, total: steps.append((done, total)))
        assert steps[-1][0] == steps[-1][1]
        assert await other.deleted.remaining() == 0
        assert (await other.pending_removals.counts()).open == 0
    finally:
        await other.close()
    assert await services.stored() == 0


async def test_shared_picture_stays_with_the_other_database(services: Services) -> None:
    for key in (PARTS, OTHERS):
        await services.databases.create(key)
        await services.fill(key, range(IMAGES))
    await services.databases.delete(PARTS)
    assert await services.stored() == IMAGES
    await services.databases.delete(OTHERS)
    assert await services.stored() == 0


async def test_pictures_added_while_their_database_is_deleted_keep_their_bytes(services: Services) -> None:
    for key in (PARTS, OTHERS):
        await services.databases.create(key)
    await services.fill(PARTS, range(IMAGES))
    await asyncio.gather(services.databases.delete(PARTS), services.fill(OTHERS, range(IMAGES)))
    assert await services.stored() == IMAGES
    page = await services.storage.catalogue.page(OTHERS, PageRequest(limit=1000))
    assert len(page.items) == IMAGES


async def test_confirmed_database_with_later_images_is_not_deleted(services: Services) -> None:
    await services.databases.create(PARTS)
    await services.fill(PARTS, range(2))
    mark = await services.storage.catalogue.mark(PARTS)
    await services.fill(PARTS, range(2, 3))
    with pytest.raises(ChangedSince, match="1 image was added"):
        await services.databases.delete(PARTS, mark)
    assert (await services.databases.find(PARTS)).images == 3
    assert len(await services.visual.inventory(PARTS)) == 3
    await services.databases.delete(PARTS, await services.storage.catalogue.mark(PARTS))
    await services.databases.create(PARTS)
    with pytest.raises(ChangedSince, match="There is a new"):
        await services.databases.delete(PARTS, mark)


async def test_confirmed_entity_keeps_later_images(services: Services) -> None:
    await services.databases.create(PARTS)
    await services.fill(PARTS, range(20))
    mark = await services.storage.catalogue.mark(PARTS)
    await services.fill(PARTS, range(20, 22))
    progress: list[int] = []
    deletion = await services.deletions.delete(PARTS, EntityId("valve"), mark=mark, on_progress=progress.append)
    assert deletion.images == 20
    assert len(progress) > 1
    assert (await services.databases.find(PARTS)).images == 2
    assert len(await services.visual.inventory(PARTS)) == 2
    assert (await services.deletions.delete(PARTS, EntityId("valve"))).images == 2


async def test_deleted_notes_are_erased_from_files_while_the_process_runs(tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path)
    services = Services(storage)
    try:
        await services.databases.create(PARTS)
        await services.fill(PARTS, range(IMAGES))
        await services.fill(PARTS, range(IMAGES, IMAGES + 2), entity="pump")
        assert _files_with(tmp_path, SECRET)
        await services.deletions.delete(PARTS, EntityId("pump"))
        await services.databases.delete(PARTS)
        assert _files_with(tmp_path, SECRET) == []
    finally:
        await storage.close()


def _files_with(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def test_add_that_is_cancelled_or_fails_leaves_no_picture(services: Services) -> None:
    await services.databases.create(PARTS)
    for number in range(10):
        adding = asyncio.create_task(services.fill(PARTS, range(number, number + 1)))
        await asyncio.sleep(0.002 * number)
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)
    assert await services.stored() == (await services.databases.find(PARTS)).images
    with pytest.raises(UnknownDatabase):
        await services.fill(OTHERS, range(30, 31))
    with pytest.raises(KeyError):
        await services.storage.pictures.get(random_picture(30).digest)


def test_batches_follow_the_time_that_they_take() -> None:
    size = new_batch_size()
    first = size.rows
    size.record(first, 0.001)
    assert size.rows == 2 * first
    size.record(size.rows, 10)
    assert size.rows == 10
    size.record(0, 1)
    assert size.rows == 10
