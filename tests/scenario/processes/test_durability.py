"""Acknowledged work survives kill -9, and processes that share a data directory see each other's changes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import random_picture
from tests.scenario.support.adding_process import PARTS, add, engine, make_database

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqlStorage]:
    storage = await SqlStorage.open(folder)
    try:
        yield storage
    finally:
        await storage.close()


async def adding(folder: Path, first: int, count: int) -> Process:
    script = [sys.executable, "-m", "tests.scenario.support.adding_process", str(folder), str(first), str(count)]
    return await asyncio.create_subprocess_exec(*script, stdout=PIPE, cwd=ROOT)


async def lines(process: Process, count: int) -> list[int]:
    assert process.stdout is not None
    return [int(await asyncio.wait_for(process.stdout.readline(), 60)) for _ in range(count)]


async def kill(process: Process) -> list[int]:
    """Kill the process with SIGKILL, and return what it had acknowledged."""
    assert process.stdout is not None
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    assert await process.wait() == -signal.SIGKILL
    return [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]


async def appears(path: Path) -> None:
    def look() -> None:
        while not path.exists():
            time.sleep(0.001)

    await asyncio.wait_for(asyncio.to_thread(look), 60)


async def assert_sound(folder: Path, acknowledged: list[int]) -> None:
    """Assert that nothing acknowledged is missing, and that catalogue, vectors and pictures agree."""
    connection = sqlite3.connect(folder / "vsearch.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    async with opened(folder) as storage:
        visual = engine(storage)
        records = (await storage.catalogue.page(PARTS, PageRequest(limit=1000))).items
        listed = (await visual.list_images(PARTS, PageRequest(limit=1000))).items
        assert {record.data_id for record in records} == {row.data_id for row in listed}
        assert {f"part_{seed}" for seed in acknowledged} <= {record.entity for record in records}
        for record in records:
            assert await storage.pictures.get(record.digest)
        for seed in acknowledged:
            assert (await visual.search(PARTS, random_picture(seed), 1))[0].entity == f"part_{seed}"
        await add(storage, visual, 10_000)


async def test_acknowledged_adds_survive_sigkill(tmp_path: Path) -> None:
    chance = random.Random(1)
    acknowledged: list[int] = []
    for attempt in range(4):
        process = await adding(tmp_path, attempt * 1000, 1000)
        acknowledged += await lines(process, chance.randint(1, 12))
        await asyncio.sleep(chance.random() * 0.005)
        acknowledged += await kill(process)
    assert acknowledged
    await assert_sound(tmp_path, acknowledged)


async def test_process_killed_while_creating_tables_can_restart(tmp_path: Path) -> None:
    for delay in (0.0, 0.01, 0.03, 0.06):
        folder = tmp_path / f"{delay}"
        process = await adding(folder, 0, 1000)
        await appears(folder / "vsearch.db")
        await asyncio.sleep(delay)
        acknowledged = await kill(process)
        async with opened(folder) as storage:
            await make_database(storage)
        await assert_sound(folder, acknowledged)


async def test_two_processes_start_on_an_empty_directory_and_add_at_once(tmp_path: Path) -> None:
    processes = [await adding(tmp_path, first, 25) for first in (0, 1000)]
    notice = await asyncio.gather(*(lines(process, 25) for process in processes))
    assert [await process.wait() for process in processes] == [0, 0]
    await assert_sound(tmp_path, [seed for seeds in notice for seed in seeds])


async def test_another_process_sees_each_add_and_delete(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        await make_database(storage)
        visual = engine(storage)
        assert await visual.search(PARTS, random_picture(0)) == ()
        process = await adding(tmp_path, 0, 1000)
        for _ in range(5):
            (seed,) = await lines(process, 1)
            best = (await visual.search(PARTS, random_picture(seed), 1))[0]
            assert best.entity == f"part_{seed}"
            assert await visual.delete_images(PARTS, EntityId(f"part_{seed}")) == 1
            # The other process keeps adding, so only this image must be gone.
            assert f"part_{seed}" not in {
                match.entity for match in await visual.search(PARTS, random_picture(seed), 1000)
            }
        await kill(process)


async def test_database_deleted_and_recreated_by_another_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as here, opened(tmp_path) as there:
        await make_database(here)
        mine, theirs = engine(here), engine(there)
        await mine.add_image(PARTS, random_picture(1), EntityId("old"), Note())
        assert (
            len(await mine.search(PARTS, random_picture(1))) == len(await theirs.search(PARTS, random_picture(1))) == 1
        )
        await theirs.delete_database(PARTS)
        with pytest.raises(UnknownDatabase):
            await mine.search(PARTS, random_picture(1))
        await theirs.create_database(PARTS)
        assert await mine.search(PARTS, random_picture(1)) == ()
        await theirs.add_image(PARTS, random_picture(2), EntityId("new"), Note())
        assert [match.entity for match in await mine.search(PARTS, random_picture(1))] == ["new"]


def leave_crash_files(folder: Path) -> None:
    """Leave files behind as a crash or a full disk might."""
    incoming = folder / "pictures" / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    (incoming / "tmphalf").write_bytes(b"\xff\xd8half")
    (folder / "pictures" / "ab").mkdir(exist_ok=True)
    (folder / "pictures" / "ab" / "stray.tmp").write_bytes(b"")
    log = folder / "vsearch.db-wal"
    with log.open("ab") as file:
        file.write(os.urandom(5000))
    (folder / "vsearch.db-shm").write_bytes(os.urandom(32768))


async def test_incomplete_files_never_prevent_a_start(tmp_path: Path) -> None:
    process = await adding(tmp_path, 0, 1000)
    acknowledged = await lines(process, 5)
    acknowledged += await kill(process)
    await asyncio.to_thread(leave_crash_files, tmp_path)
    await assert_sound(tmp_path, acknowledged)


async def test_stale_log_without_its_database_does_not_prevent_a_start(tmp_path: Path) -> None:
    await asyncio.to_thread(leave_crash_files, tmp_path)
    async with opened(tmp_path) as storage:
        key = DatabaseKey(WorkspaceId("T9"), DatabaseName("fresh"))
        await storage.catalogue.create_database(key)
        assert (await storage.catalogue.database(key)).images == 0
