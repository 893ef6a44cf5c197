"""Compare two workers with one: the same import on one PostgreSQL server, each worker with one thread on its own core.

Without binding, one worker uses more than one core: one thread decodes while another embeds and a third writes.
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

from bench.report import Row, TargetSide
from bench.samples import sample_pictures
from bench.samples.synthetic import KEY
from bot.app.services import build_services
from bot.config.settings import Settings
from tests.fixtures.postgres import Cluster, running

PICTURES, SIDES, ROUNDS = 240, (1600, 1592, 1584, 1576), 3
"""Each picture in several sizes, so that start and end weigh little."""

TARGET = 1.7
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Import:
    """Result of one import: pictures per second, and CPU milliseconds per picture of workers and server."""

    rate: float
    of_workers: float
    of_server: float


async def run() -> list[Row]:
    """Alternate one and two workers, each time with an empty database."""
    paths = [path for side in SIDES for path in await asyncio.to_thread(sample_pictures.enlarged, side, PICTURES)]
    with running() as cluster:
        bound = await _compared(cluster, paths, bound=True)
        unbound = await _compared(cluster, paths, bound=False)
    return [_row("import by two workers, one core each", bound, TARGET), _row("the same, not bound to cores", unbound)]


def _row(name: str, measured: dict[int, list[Import]], target: float | None = None) -> Row:
    one, two = (statistics.median(some.rate for some in measured[workers]) for workers in (1, 2))
    everything = [some for imports in measured.values() for some in imports]
    of_workers = statistics.median(some.of_workers for some in everything)
    of_server = statistics.median(some.of_server for some in everything)
    ratios = sorted(second.rate / first.rate for first, second in zip(measured[1], measured[2], strict=True))
    note = (
        f"{ROUNDS} rounds, {ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"a picture takes {of_workers:.1f} ms of a worker's core, {of_server:.1f} ms of PostgreSQL's"
    )
    return Row(name, two, "images/s", one, "one worker", target, TargetSide.AT_LEAST, note)


async def _compared(cluster: Cluster, paths: Sequence[Path], *, bound: bool) -> dict[int, list[Import]]:
    measured: dict[int, list[Import]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, imports in measured.items():
            imports.append(await _run_import(cluster, paths, workers, bound=bound))
    return measured


async def _run_import(cluster: Cluster, paths: Sequence[Path], workers: int, *, bound: bool) -> Import:
    """Import with this many workers until the last one is done. Their start is not counted."""
    url = cluster.address(cluster.database())
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as name:
        root = Path(name)
        async with build_services(Settings(data_dir=root, database_url=url, backend="pgvector")) as services:
            await services.databases.create(KEY)
        processes = []
        for number in range(workers):
            folder = _copy_pictures(root / f"part_{number}", paths[number::workers])
            core = (str(cores[number % len(cores)]),) if bound else ()
            command = (sys.executable, "-m", "bench.speed.import_worker", str(folder), url, *core)
            processes.append(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))
        for process in processes:
            assert await _line(process) == ["ready"]
        before = _cpu_seconds(cluster.pid)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
        done = [await _line(process) for process in processes]
        server = _cpu_seconds(cluster.pid) - before
        for process in processes:
            await process.wait()
    assert sum(int(added) for added, _, _ in done) == len(paths), done
    seconds, worked = max(float(took) for _, took, _ in done), sum(float(spent) for _, _, spent in done)
    return Import(len(paths) / seconds, 1000 * worked / len(paths), 1000 * server / len(paths))


def _copy_pictures(folder: Path, paths: Sequence[Path]) -> Path:
    folder.mkdir()
    for number, path in enumerate(paths):
        shutil.copy(path, folder / f"{number:04}_{path.name}")
    return folder


async def _line(process: Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().split()


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and its children, including those that have ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_ticks(process) for process in (str(pid), *children)) / _TICKS


def _ticks(process: str) -> int:
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has just ended, and its time is in its parent's
        return 0
    return sum(int(word) for word in words[11:15])
