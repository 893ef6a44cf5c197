"""Concurrent writes of several processes to the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.channels import ChannelBinding
from bot.domain.errors import AlreadyAdded, DatabaseExists, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search, random_picture
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

TEAM = WorkspaceId("T1")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
PROCESSES = 3


@pytest.fixture
async def processes(storage_place: StoragePlace) -> AsyncIterator[list[SqlStorage]]:
    """Independent storages on one database, as several processes have them."""
    opened = [await storage_place.open() for _ in range(PROCESSES)]
    await opened[0].catalogue.create_database(PARTS)
    yield opened
    for storage in opened:
        await storage.close()


def record(name: str, digest: str, entity: str = "valve") -> ImageRecord:
    return image_record(
        database=PARTS,
        data_id=DataId(name),
        entity=EntityId(entity),
        digest=digest * 64,
        added_at=datetime.now(UTC),
    )


async def failures(works: Sequence[Awaitable[Any]]) -> list[BaseException]:
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


def engine(storage: SqlStorage) -> EmbeddedSearch:
    return embedded_search(storage)


async def test_concurrent_creates_of_one_name_succeed_once(processes: list[SqlStorage]) -> None:
    key = DatabaseKey(TEAM, DatabaseName("brand"))
    for part_of in (lambda one: one.catalogue, engine):
        failed = await failures([part_of(one).create_database(key) for one in processes * 3])
        assert len(failed) == 3 * PROCESSES - 1
        assert {type(error) for error in failed} == {DatabaseExists}


async def test_concurrent_adds_of_one_picture_report_the_stored_entity(processes: list[SqlStorage]) -> None:
    works = [one.catalogue.add(record(f"id-{at}", "a", f"entity_{at}")) for at, one in enumerate(processes * 3)]
    failed = await failures(works)
    assert len(failed) == 3 * PROCESSES - 1
    added = await processes[0].catalogue.with_digest(PARTS, "a" * 64)
    assert added is not None
    assert {error.entity for error in failed if isinstance(error, AlreadyAdded)} == {added.entity}


async def test_concurrent_adds_increment_the_revision_once_each(processes: list[SqlStorage]) -> None:
    works = [one.catalogue.add(record(f"id-{at}", f"{at:x}")) for at, one in enumerate(processes * 4)]
    assert await failures(works) == []
    info = await processes[0].catalogue.database(PARTS)
    assert (info.images, info.revision) == (len(works), len(works))


async def test_concurrent_delete_leaves_no_images_or_bindings(processes: list[SqlStorage]) -> None:
    one, two, three = processes
    for at in range(10):
        works = [one.catalogue.add(record(f"id-{at}", "a")), two.catalogue.delete_database(PARTS)]
        works.append(three.bindings.put(ChannelBinding(TEAM, "C1", database=PARTS.name)))
        assert {type(error) for error in await failures(works)} <= {UnknownDatabase}
        assert await one.catalogue.databases(TEAM) == ()
        await one.catalogue.create_database(PARTS)
        assert (await one.catalogue.database(PARTS)).images == 0


async def test_local_databases_go_to_one_of_several_new_workspaces(processes: list[SqlStorage]) -> None:
    await processes[0].catalogue.create_database(DatabaseKey(LOCAL_WORKSPACE, DatabaseName("catalogue")))
    teams = [WorkspaceId(f"T{number}") for number in range(2, 2 + PROCESSES)]
    works = [
        one.catalogue.record_workspace(team, adopts_local=True)
        for one, team in zip(processes * 2, teams * 2, strict=True)
    ]
    assert await failures(works) == []
    owners = [team for team in teams if await processes[0].catalogue.databases(team)]
    assert len(owners) == 1
    assert sorted(team for team, _ in await processes[0].catalogue.connected()) == sorted(teams)


async def test_concurrent_first_writes_store_one_row(processes: list[SqlStorage]) -> None:
    bindings = [one.bindings.put(ChannelBinding(TEAM, "C1", database=PARTS.name)) for one in processes * 2]
    uploads = [one.thumbnails.put(TEAM, "a" * 64, f"F{at}") for at, one in enumerate(processes * 2)]
    assert await failures([*bindings, *uploads]) == []
    assert len(await processes[0].bindings.all(TEAM)) == 1
    assert len(await processes[0].thumbnails.get(TEAM, ["a" * 64])) == 1


async def test_search_during_concurrent_adds_misses_no_image(processes: list[SqlStorage]) -> None:
    *adding, searching = map(engine, processes)
    await searching.create_database(PARTS)
    added = 0

    async def add(visual: EmbeddedSearch, seeds: range) -> None:
        nonlocal added
        for seed in seeds:
            await visual.add_image(PARTS, random_picture(seed), EntityId(f"e{seed}"), Note())
            added += 1

    async def search() -> None:
        while added < 60:
            before = added
            assert len(await searching.search(PARTS, random_picture(0), 1000)) >= before

    await asyncio.gather(add(adding[0], range(30)), add(adding[1], range(30, 60)), search())
    assert len(await searching.search(PARTS, random_picture(0), 1000)) == 60
