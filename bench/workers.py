"""Two workers against one: the same import on one PostgreSQL, each worker with one thread, bound to a core of its own.

Bound to no core, one worker fills more than one: a thread decodes while another embeds and a third writes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import specimens
from bench.report import Bar, Row
from bench.synthetic import KEY
from bot.app.services import build_services
from bot.config.settings import Settings
from tests.fixtures.postgres import Cluster, running

PICTURES, SIDES, ROUNDS = 240, (1600, 1592, 1584, 1576), 3
"""Each picture in several sizes: so many that beginning and end weigh little."""

BAR = 1.7
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Import:
    """What one import took: pictures a second, and milliseconds of a processor for each picture."""

    rate: float
    of_workers: float
    of_server: float


async def run() -> list[Row]:
    """In turns, each time into an empty database."""
    paths = [path for side in SIDES for path in await asyncio.to_thread(specimens.enlarged, side, PICTURES)]
    with running() as cluster:
        bound = await _compared(cluster, paths, bound=True)
        unbound = await _compared(cluster, paths, bound=False)
    return [_row("import by two workers, a core each", bound, BAR), _row("the same, bound to no core", unbound)]


def _row(name: str, measured: dict[int, list[Import]], bar: float | None = None) -> Row:
    one, two = (statistics.median(some.rate for some in measured[workers]) for workers in (1, 2))
    everything = [some for imports in measured.values() for some in imports]
    of_workers = statistics.median(some.of_workers for some in everything)
    of_server = statistics.median(some.of_server for some in everything)
    ratios = sorted(second.rate / first.rate for first, second in zip(measured[1], measured[2], strict=True))
    note = (
        f"{ROUNDS} rounds, {ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"a picture takes {of_workers:.1f} ms of a worker's core, {of_server:.1f} ms of PostgreSQL's"
    )
    return Row(name, two, "images/s", one, "one worker", bar, Bar.AT_LEAST, note)


async def _compared(cluster: Cluster, paths: Sequence[Path], *, bound: bool) -> dict[int, list[Import]]:
    measured: dict[int, list[Import]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, imports in measured.items():
            imports.append(await _imported(cluster, paths, workers, bound=bound))
    return measured


async def _imported(cluster: Cluster, paths: Sequence[Path], workers: int, *, bound: bool) -> Import:
    """Until the last of them is done; starting them is not counted."""
    url = cluster.address(cluster.database())
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as name:
        root = Path(name)
        async with build_services(Settings(data_dir=root, database_url=url, backend="pgvector")) as services:
            await services.databases.create(KEY)
        processes = []
        for number in range(workers):
            folder = _dealt(root / f"part_{number}", paths[number::workers])
            core = (str(cores[number % len(cores)]),) if bound else ()
            command = (sys.executable, "-m", "bench.importer", str(folder), url, *core)
            processes.append(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))
        for process in processes:
            assert await _line(process) == ["ready"]
        before = _spent(cluster.pid)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
        done = [await _line(process) for process in processes]
        server = _spent(cluster.pid) - before
        for process in processes:
            await process.wait()
    assert sum(int(added) for added, _, _ in done) == len(paths), done
    seconds, worked = max(float(took) for _, took, _ in done), sum(float(spent) for _, _, spent in done)
    return Import(len(paths) / seconds, 1000 * worked / len(paths), 1000 * server / len(paths))


def _dealt(folder: Path, paths: Sequence[Path]) -> Path:
    folder.mkdir()
    for number, path in enumerate(paths):
        shutil.copy(path, folder / f"{number:04}_{path.name}")
    return folder


async def _line(process: Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().split()


def _spent(pid: int) -> float:
    """Seconds of processors by a process and its children, those that have ended included."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_ticks(process) for process in (str(pid), *children)) / _TICKS


def _ticks(process: str) -> int:
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has just ended, and is counted with its parent's
        return 0
    return sum(int(word) for word in words[11:15])
