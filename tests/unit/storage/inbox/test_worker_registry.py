"""The worker registry: dead workers are found at once, and live ones never count as dead."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bot.storage.inbox.inbox import SqlInbox
from bot.storage.inbox.recovery import ANSWER_SETTLE_S
from bot.storage.inbox.worker_registry import FileWorkerRegistry
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock
from tests.fakes.inbox import share

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no flock, so FileWorkerRegistry does nothing there"
)

LEASE_S = 15.0
NAME = "a host/with a slash:1:ff"
WORKER_SCRIPT = """
import sys
from pathlib import Path
from bot.storage.inbox.worker_registry import FileWorkerRegistry
registry = FileWorkerRegistry(Path(sys.argv[1]))
registry.register(sys.argv[2])
print("here", flush=True)
sys.stdin.read()
"""


@contextmanager
def live_worker(folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that registers under this name, and kill it with SIGKILL at the end."""
    process = subprocess.Popen([sys.executable, "-c", WORKER_SCRIPT, folder, name], stdin=-1, stdout=-1)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        yield process
        process.kill()


def test_live_workers_are_never_reported_dead(tmp_path: Path) -> None:
    with live_worker(tmp_path / "workers", NAME):
        ours = FileWorkerRegistry(tmp_path / "workers")
        ours.register("ours")
        assert ours.dead_workers() == ()
        assert FileWorkerRegistry(tmp_path / "workers").dead_workers() == ()


def test_killed_workers_are_reported_until_unregistered(tmp_path: Path) -> None:
    with live_worker(tmp_path, NAME):
        pass
    ours = FileWorkerRegistry(tmp_path)
    assert ours.dead_workers() == (NAME,)
    # Only the first caller gets a dead worker.
    assert ours.dead_workers() == FileWorkerRegistry(tmp_path).dead_workers() == ()
    ours.unregister(NAME)
    assert list(tmp_path.iterdir()) == []


def test_unregistered_workers_are_not_reported_dead(tmp_path: Path) -> None:
    registry = FileWorkerRegistry(tmp_path)
    registry.register(NAME)
    registry.unregister(NAME)
    registry.unregister(NAME)
    assert FileWorkerRegistry(tmp_path).dead_workers() == ()


def test_worker_registers_while_others_remove_dead_workers(tmp_path: Path) -> None:
    found: list[str] = []
    stop = threading.Event()

    def look() -> None:
        theirs = FileWorkerRegistry(tmp_path)
        while not stop.is_set():
            dead = theirs.dead_workers()
            theirs.unregister(*dead)
            found.extend(dead)

    thread = threading.Thread(target=look)
    thread.start()
    registry = FileWorkerRegistry(tmp_path)
    for number in range(200):
        registry.register(f"{number}")
        # Others may have found its file before it had the lock. From here on it is live.
        found.clear()
    stop.set()
    thread.join()
    assert {path.name for path in tmp_path.iterdir()} == {f"{number}" for number in range(200)}
    assert FileWorkerRegistry(tmp_path).dead_workers() == ()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    opened = await SqlStorage.open(tmp_path)
    yield opened
    await opened.close()


async def test_jobs_of_dead_workers_are_due_at_once_and_count_an_attempt(storage: SqlStorage, tmp_path: Path) -> None:
    clock, folder = Clock(), tmp_path / "workers"
    inbox = SqlInbox(storage._database, FileWorkerRegistry(folder), clock)
    for number in range(4):
        await inbox.put(share(number))
    with live_worker(folder, "dead"):
        first, answering = await inbox.claim("dead", 2, LEASE_S)
        assert await inbox.mark_answering(answering)
        (alive,) = await inbox.claim("alive", 1, LEASE_S)
        for job in (first, answering, alive):
            assert await inbox.begin(job)
        assert await inbox.enter("early") == 0
    assert await inbox.enter("next") == 2
    again = await inbox.claim("next", 10, LEASE_S)
    # Those that the dead worker has begun count an attempt.
    assert [(job.files, job.attempts) for job in again] == [(first.files, 1), (("F3",), 0)]
    assert not await inbox.mark_answering(first)
    # Slack may still be processing the last message of the dead worker.
    clock.now += timedelta(seconds=ANSWER_SETTLE_S)
    assert [(job.id, job.answering) for job in await inbox.claim("next", 10, LEASE_S)] == [(answering.id, True)]
    assert await inbox.mark_answering(alive)
    assert await inbox.enter("third") == 0


async def test_orderly_stop_leaves_no_files(storage: SqlStorage, tmp_path: Path) -> None:
    await storage.inbox.enter("one")
    await storage.inbox.enter("two")
    await asyncio.gather(storage.inbox.release("one"), storage.inbox.release("two"))
    assert list((tmp_path / "workers").iterdir()) == []
