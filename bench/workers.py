"""Two workers against one: the same import on one PostgreSQL, each process with one thread."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from bench import specimens
from bench.report import Bar, Row
from bench.synthetic import KEY
from bot.app import build_services
from bot.config import Settings
from tests.postgres import Cluster, running

PICTURES, ROUNDS, SIDE = 240, 3, 1600
BAR = 1.7


async def run() -> list[Row]:
    """In turns, each time into an empty database."""
    paths = await asyncio.to_thread(specimens.enlarged, SIDE, PICTURES)
    rates: dict[int, list[float]] = {1: [], 2: []}
    with running() as cluster:
        for _ in range(ROUNDS):
            for workers, measured in rates.items():
                measured.append(len(paths) / await _seconds(cluster, paths, workers))
    one, two = (statistics.median(rates[workers]) for workers in (1, 2))
    note = f"{len(paths)} pictures of {SIDE} px, {ROUNDS} rounds, PostgreSQL on the same cores"
    return [Row("import by two workers", two, "images/s", one, "one worker", BAR, Bar.AT_LEAST, note)]


async def _seconds(cluster: Cluster, paths: Sequence[Path], workers: int) -> float:
    """Until the last of them is done; starting them is not counted."""
    url = cluster.address(cluster.database())
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as name:
        root = Path(name)
        async with build_services(Settings(data_dir=root, database_url=url, backend="pgvector")) as services:
            await services.databases.create(KEY)
        processes = []
        for number in range(workers):
            folder = root / f"part_{number}"
            folder.mkdir()
            for path in paths[number::workers]:
                shutil.copy(path, folder)
            command = (sys.executable, "-m", "bench.importer", str(folder), url)
            processes.append(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))
        for process in processes:
            assert await _line(process) == ["ready"]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
        done = [await _line(process) for process in processes]
        for process in processes:
            await process.wait()
    assert sum(int(added) for added, _ in done) == len(paths), done
    return max(float(seconds) for _, seconds in done)


async def _line(process: Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().split()
