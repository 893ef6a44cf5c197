"""Measure resident memory of the bot at rest with 50,000 or 500,000 images, and with more databases than fit."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import Row

if TYPE_CHECKING:
    from bench.samples.synthetic import SyntheticDatabases

SIZE, BAR_MB = 50_000, 300.0
LARGE, LARGE_BAR_MB, LARGE_BUDGET_MB = 500_000, 1_200.0, 1_000
REST_S = 2.0
MANY, EACH, BUDGET_MB = 12, 5_000, 40
LARGE_VARIABLE = "VSEARCH_BENCH_LARGE"
_ROOT = Path(__file__).parents[2]


async def run() -> list[Row]:
    """Run each measurement in a process of its own."""
    from bench.samples import sample_pictures, synthetic  # noqa: PLC0415 - a child loads no more than the bot does
    from bot.adapters.embedded.retrieval.index import memory_for  # noqa: PLC0415

    image = sample_pictures.paths()[-1]
    rows = [await _at_rest(SIZE, image, BAR_MB)]
    if os.environ.get(LARGE_VARIABLE):
        rows.append(await _at_rest(LARGE, image, LARGE_BAR_MB, LARGE_BUDGET_MB))
    many = await _child(await asyncio.to_thread(synthetic.create_databases, EACH, databases=MANY), image, BUDGET_MB)
    needed = MANY * memory_for(synthetic.model().dimensions, EACH) / 1e6
    return [
        *rows,
        Row(
            f"memory with {MANY} databases of {EACH:,} searched",
            many["at rest"],
            "MB",
            many["one searched"],
            "with one of them searched",
            note=f"{BUDGET_MB} MB set for indexes; all would need {needed:.0f}",
        ),
    ]


async def _at_rest(size: int, image: Path, limit: float, budget_mb: int = 512) -> Row:
    from bench.samples import synthetic  # noqa: PLC0415 - a child loads no more than the bot does

    data = await asyncio.to_thread(lambda: synthetic.create_databases(size, with_features=size != LARGE))
    steps = await _child(data, image, budget_mb)
    print(f"memory, {size:,} images, MB after each step: {_listed(steps)}", flush=True)
    note = f"{budget_mb} MB set for indexes"
    return Row(f"memory at rest after a search, {size:,} images", steps["at rest"], "MB", limit=limit, note=note)


def _listed(steps: dict[str, float]) -> str:
    return ", ".join(f"{name} {held:.0f}" for name, held in steps.items())


async def _child(data: SyntheticDatabases, image: Path, budget_mb: int = 512) -> dict[str, float]:
    arguments = [str(data.data_dir), str(image), str(budget_mb), *data.names]
    command = [sys.executable, "-m", "bench.speed.memory", *arguments]
    done = await asyncio.to_thread(subprocess.run, command, cwd=_ROOT, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def resident_mb() -> float:
    """Return the resident memory of this process in MB, including shared libraries. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000 * 1.024
    raise RuntimeError("no VmRSS in /proc/self/status")


async def _steps(data_dir: Path, image: Path, budget_mb: int, names: list[str]) -> dict[str, float]:
    held = {"interpreter": resident_mb()}
    from bench.whole_bot.bot_services import serving  # noqa: PLC0415 - what loading costs is measured here
    from bot.config.settings import Settings  # noqa: PLC0415
    from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName  # noqa: PLC0415

    async with serving(Settings(data_dir=data_dir, index_memory_mb=budget_mb)) as services:
        held["bot ready"] = resident_mb()
        picture = await services.normaliser.picture(await asyncio.to_thread(image.read_bytes))
        for number, name in enumerate(names):
            await services.search.search(DatabaseKey(LOCAL_WORKSPACE, DatabaseName(name)), picture, minimum=0)
            if number == 0:
                held["one searched"] = resident_mb()
        for _ in range(20):
            await services.search.search(DatabaseKey(LOCAL_WORKSPACE, DatabaseName(names[-1])), picture, minimum=0)
        held["searched 20 times more"] = resident_mb()
        await asyncio.sleep(REST_S)
        held["at rest"] = resident_mb()
    return held


if __name__ == "__main__":
    folder, picture_path, budget, *databases = sys.argv[1:]
    print(json.dumps(asyncio.run(_steps(Path(folder), Path(picture_path), int(budget), databases))))
