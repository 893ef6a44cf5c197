"""Locks between processes: exclusive, released by a crash, and bounded in time."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.errors import BackendTimeout
from bot.storage.sql.locks import processes as process_locks
from bot.storage.sql.locks.processes import FileLocks, ProcessLocks
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.storages import StoragePlace


@pytest.fixture
async def processes(storage_place: StoragePlace) -> AsyncIterator[list[SqlStorage]]:
    """Two storages on one database, as two processes have them."""
    opened = [await storage_place.open() for _ in range(2)]
    yield opened
    for storage in opened:
        await storage.close()


async def test_only_one_process_holds_a_lock(processes: list[SqlStorage]) -> None:
    inside, most, entered = 0, 0, 0

    async def work(storage: SqlStorage) -> None:
        nonlocal inside, most, entered
        async with storage.locks.hold("parts"):
            inside += 1
            entered += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(work(storage) for storage in processes * 4))
    assert (most, entered) == (1, 8)


async def test_other_locks_and_writes_go_on(processes: list[SqlStorage]) -> None:
    one, other = processes
    async with asyncio.timeout(10), one.locks.hold("parts"), other.locks.hold("brand"), one.locks.hold("third"):
        await other.ping()


async def test_lock_is_free_after_an_error_and_a_cancellation(processes: list[SqlStorage]) -> None:
    one, other = processes
    with pytest.raises(ZeroDivisionError):
        async with one.locks.hold("parts"):
            raise ZeroDivisionError

    async def hold() -> None:
        async with one.locks.hold("parts"):
            await asyncio.sleep(60)

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0.1)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    async with asyncio.timeout(10), other.locks.hold("parts"):
        pass


async def test_closed_process_holds_nothing(storage_place: StoragePlace) -> None:
    one, other = await storage_place.open(), await storage_place.open()
    holding = one.locks.hold("parts")
    await holding.__aenter__()
    await one.close()
    async with asyncio.timeout(10), other.locks.hold("parts"):
        # A late release opens no new session.
        await holding.__aexit__(None, None, None)
    await other.close()


async def test_waiting_ends_with_an_error(tmp_path: Path) -> None:
    one, other = ProcessLocks(FileLocks(tmp_path)), ProcessLocks(FileLocks(tmp_path), wait_s=0.1)
    async with one.hold("parts"):
        with pytest.raises(BackendTimeout):
            async with other.hold("parts"):
                pass


async def test_lock_files_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_locks, "_FILES", 4)
    locks = ProcessLocks(FileLocks(tmp_path))
    for number in range(50):
        async with locks.hold(f"name {number}"):
            pass
    assert len(await asyncio.to_thread(lambda: list(tmp_path.iterdir()))) <= 4


def _hold_until_killed(folder: str, held: object) -> None:
    FileLocks(Path(folder)).try_acquire("parts")
    held.set()  # type: ignore[attr-defined]
    multiprocessing.Event().wait(60)


async def test_killed_process_holds_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold_until_killed, args=(str(tmp_path), held))
    process.start()
    try:
        assert await asyncio.to_thread(held.wait, 30)
        assert not FileLocks(tmp_path).try_acquire("parts")
    finally:
        process.kill()
        process.join()
    assert FileLocks(tmp_path).try_acquire("parts")
