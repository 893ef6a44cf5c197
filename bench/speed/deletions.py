"""Measure how long an inbox write waits while a database is deleted, and what kills during deletions leave behind."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

from bench.report import Row
from bench.samples.synthetic import KEY, create_databases
from bot.app.services import Services, build_services
from bot.config.settings import Settings
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import JobKind, NewJob
from tests.fakes.slack import FakeSlack
from tests.scenario.support.deletion_scenario import DeletionScenario

IMAGES = 50_000
LIMIT_MS = 100
KILLS, SEED = 100, 20
WRITE_EVERY_S = 0.01
UNDISTURBED_S = 5.0


@dataclass
class _Writes:
    """Durations of inbox writes, in milliseconds."""

    ms: list[float] = field(default_factory=list)

    async def run(self, services: Services, stopped: asyncio.Event, name: str) -> None:
        while not stopped.is_set():
            number = len(self.ms)
            job = NewJob(JobKind.SHARE, WorkspaceId("T1"), "", name, f"{number}.0", (f"F{number}",), "{}")
            began = time.perf_counter()
            await services.storage.inbox.put(job)
            self.ms.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(WRITE_EVERY_S)


async def run() -> list[Row]:
    """Delete the database while jobs are stored one after another."""
    # One row more than in other benchmarks, because they share what is created.
    synthetic = await asyncio.to_thread(create_databases, IMAGES + 1)
    async with build_services(Settings(data_dir=synthetic.data_dir)) as services:
        digests = await asyncio.to_thread(_store_pictures, synthetic.data_dir)
        quiet = await _during(services, asyncio.sleep(UNDISTURBED_S), "C0QUIET")
        began = time.perf_counter()
        writes = await _during(services, services.databases.delete(KEY), "C0DELETING")
        took = time.perf_counter() - began
        left = await asyncio.to_thread(lambda: sum(1 for _ in (synthetic.data_dir / "pictures").rglob("*.jpg")))
    print(
        f"deletions: {IMAGES:,} images and {digests:,} pictures in {took:.0f} s beside {len(writes.ms):,} inbox writes;"
        f" longest undisturbed write {max(quiet.ms):.1f} ms"
    )
    longest = max(writes.ms)
    return [
        *await _kill(),
        Row(f"longest inbox write while {IMAGES:,} images are deleted", longest, "ms", LIMIT_MS, "limit", 1),
        Row("pictures left", left, "files", limit=0),
    ]


async def _kill() -> list[Row]:
    """Kill processes that add and delete, and count what they leave behind or lose."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        async with FakeSlack() as slack:
            slack.tolerate_silence()
            outcome = await DeletionScenario(slack, Path(folder) / "data", SEED).run(KILLS)
    print(f"deletions: {outcome.kills} kills, {outcome.steps:,} steps")
    for fault in outcome.faults:
        print(f"deletions: {fault}")
    return [Row(f"{KILLS} kills during deletions: left behind or lost", len(outcome.faults), "faults", limit=0)]


async def _during(services: Services, work: Awaitable[object], name: str) -> _Writes:
    writes, stopped = _Writes(), asyncio.Event()
    writing = asyncio.create_task(writes.run(services, stopped, name))
    try:
        await work
    finally:
        stopped.set()
        await writing
    return writes


def _store_pictures(data_dir: Path) -> int:
    """Write a file for each image, as if its picture had been stored."""
    connection = sqlite3.connect(data_dir / "vsearch.db")
    try:
        digests = [row[0] for row in connection.execute("SELECT DISTINCT digest FROM images")]
    finally:
        connection.close()
    for digest in digests:
        path = data_dir / "pictures" / digest[:2] / f"{digest}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8" + bytes(2000))
    return len(digests)
