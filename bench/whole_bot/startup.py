"""Measure the start: CPU time of quick commands, and the time to the first answer with 50,000 images and where it goes.

A quick command is compared with importing the libraries that it can't do without, in turns.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.report import Row
from bench.samples import sample_pictures, synthetic
from bench.samples.synthetic import KEY
from bot.app.services import build_services
from bot.config.settings import Settings

SIZE = 50_000
ROUNDS = 5
TARGET_S = 2.5
SHOWN_IMPORTS = 12
QUICK_ROUNDS = 15
QUICK = (
    ("--help", ("--help",), "typer, rich", 2.0),
    ("--version", ("--version",), "typer, rich", 2.0),
    ("db list", ("db", "list"), "typer, rich, sqlalchemy", 1.5),
)
"""Quick commands: name, arguments, the libraries that they need, and the greatest ratio to importing them."""
_ROOT = Path(__file__).parents[2]
_IMPORT_TIME = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( *)(\S+)")


async def run() -> list[Row]:
    """Measure quick commands, the command line's search, and a process that opens the services and searches."""
    quick = await asyncio.to_thread(_quick_commands)
    data = await asyncio.to_thread(synthetic.create_databases, SIZE)
    image = sample_pictures.paths()[-1]
    command = _command(data.data_dir, image)
    await asyncio.to_thread(_run, command)  # fills the page cache, compiles modules
    commanded = [await asyncio.to_thread(_seconds, command) for _ in range(ROUNDS)]
    child = [sys.executable, "-m", "bench.whole_bot.startup", str(data.data_dir), str(image)]
    steps = [json.loads(await asyncio.to_thread(_run, child)) for _ in range(ROUNDS)]
    middle = {name: statistics.median(step[name] for step in steps) for name in steps[0]}
    print("startup, seconds a step: " + ", ".join(f"{name} {spent:.2f}" for name, spent in middle.items()))
    await asyncio.to_thread(_print_slowest_imports, command)
    return [
        *quick,
        Row(
            f"startup to the first answer, {SIZE:,} images, command line",
            statistics.median(commanded),
            "s",
            limit=TARGET_S,
        ),
        Row(f"startup to the first answer, {SIZE:,} images, services", middle["whole process"], "s", limit=TARGET_S),
    ]


def _quick_commands() -> list[Row]:
    """Return the CPU time of each quick command, and of importing its libraries."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        program = [sys.executable, "-m", "bot", "--data-dir", folder]
        commands = {name: [*program, *arguments] for name, arguments, _, _ in QUICK}
        commands |= {libraries: [sys.executable, "-c", f"import {libraries}"] for _, _, libraries, _ in QUICK}
        for command in commands.values():
            _run(command)  # creates the database, fills the page cache, compiles modules
        spent: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(QUICK_ROUNDS):
            for name, command in commands.items():
                spent[name].append(_cpu_ms(command))
    middle = {name: statistics.median(times) for name, times in spent.items()}
    return [
        Row(f"CPU of vsearch {name}", middle[name], "ms", middle[libraries], f"import {libraries}", limit)
        for name, _, libraries, limit in QUICK
    ]


def _cpu_ms(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def _command(data_dir: Path, image: Path) -> list[str]:
    options = ["--data-dir", str(data_dir), "search", str(image), "--in", str(KEY.name), "--min", "0", "--json"]
    return [sys.executable, "-m", "bot", *options]


def _run(command: Sequence[str]) -> str:
    return subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True).stdout


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    answer = json.loads(_run(command))
    assert answer["matches"], answer
    return time.perf_counter() - started


def _print_slowest_imports(command: Sequence[str]) -> None:
    """Print the modules that take longest to import, including what they import."""
    traced = [command[0], "-X", "importtime", *command[1:]]
    printed = subprocess.run(traced, cwd=_ROOT, check=True, capture_output=True, text=True).stderr
    found = [(int(whole), len(depth), name) for _, whole, depth, name in _IMPORT_TIME.findall(printed)]
    longest = sorted((item for item in found if "." not in item[2]), reverse=True)[:SHOWN_IMPORTS]
    print(
        "startup, ms of the slowest imports: " + ", ".join(f"{name} {spent / 1000:.0f}" for spent, _, name in longest)
    )


async def _first_answer(data_dir: Path, image: Path, process_start: float) -> dict[str, float]:
    """Return the seconds of each step, measured in this process."""
    began = time.time()
    async with build_services(Settings(data_dir=data_dir)) as services:
        opened = time.time()
        picture = await services.normaliser.picture(await asyncio.to_thread(image.read_bytes))
        result = await services.search.search(KEY, picture, minimum=0)
        assert result.matches
        first = time.time()
        await services.search.search(KEY, picture, minimum=0)
        second = time.time()
    return {
        "interpreter and first imports": began - process_start,
        "services opened": opened - began,
        "first search, index loaded": first - opened,
        "second search": second - first,
        "whole process": first - process_start,
    }


def _process_start() -> float:
    """Return the start time of this process, in seconds since the epoch."""
    since_boot = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_first_answer(Path(sys.argv[1]), Path(sys.argv[2]), _process_start()))))
