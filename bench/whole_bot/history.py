"""Measure the import of a channel's history against ``import`` of the same files, and what lookups beside it notice.

Slack is a stand-in without rate limits, in a process of its own. Processor time is that of the bot's process alone.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from bench.report import Row, TargetSide
from bench.samples import sample_pictures
from bench.samples.synthetic import KEY
from bench.whole_bot import history_slack
from bot.app.services import Services, build_services
from bot.app.slack_app import SlackApp, build
from bot.config.settings import Settings
from bot.domain.jobs import HistoryStatus, NewHistoryImport
from bot.services.images.import_sources import ImportSource

MESSAGES, PICTURES = 10_000, 2_000
LOOKUP_EVERY_S = 0.5
LOOKUPS = 30
SPEED, GROWTH = 1.0, 1.5


@dataclass(frozen=True, slots=True)
class _Spent:
    """The seconds that pictures took, those of the processor, and the seconds of lookups beside them."""

    pictures: int
    seconds: float
    cpu_seconds: float
    lookups: Sequence[float] = ()

    @property
    def rate(self) -> float:
        return self.pictures / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_seconds / self.pictures


async def run() -> list[Row]:
    """Import the files, then the same pictures of a channel, alone and beside lookups."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        root = Path(folder)
        paths = await asyncio.to_thread(_pictures, root, PICTURES)
        await _imported(paths[:16])
        imported = await _imported(paths)
        quiet = await _from_history(root, paths, lookups=False)
        again = await _imported(paths)
        alone = await _lookups_alone(paths)
        beside = await _from_history(root, paths, lookups=True)
        # Before and after, because the load of the machine changes.
        alone += await _lookups_alone(paths)
    note = f"{PICTURES:,} pictures in {MESSAGES:,} messages"
    rate, cpu_ms = statistics.mean([imported.rate, again.rate]), statistics.mean([imported.cpu_ms, again.cpu_ms])
    return [
        Row("history, nothing else", quiet.rate, "pictures/s", rate, "import", SPEED, TargetSide.AT_LEAST, note),
        Row("processor time of a picture", quiet.cpu_ms, "ms", cpu_ms, "import", note="downloads included"),
        Row("history, beside lookups", beside.rate, "pictures/s", rate, "import", note=note),
        Row(
            "lookups beside it, p50",
            1000 * statistics.median(beside.lookups),
            "ms",
            1000 * statistics.median(alone),
            "alone",
            GROWTH,
            note=f"{len(beside.lookups)} lookups, one every {LOOKUP_EVERY_S} s",
        ),
    ]


def _pictures(folder: Path, count: int) -> list[Path]:
    """Write different crops of the sample pictures."""
    rng, samples = random.Random(3), sample_pictures.paths()
    paths = []
    for number in range(count):
        with Image.open(samples[number % len(samples)]) as image:
            width, height = image.size
            box = (rng.randrange(width // 6), rng.randrange(height // 6), width - rng.randrange(width // 6), height)
            paths.append(folder / f"picture {number:05}.jpg")
            image.convert("RGB").crop(box).save(paths[-1], "JPEG", quality=88)
    return paths


async def _imported(paths: Sequence[Path]) -> _Spent:
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        async with build_services(Settings(data_dir=Path(data), read_text="off")) as services:
            await services.databases.create(KEY)
            began, cpu = time.perf_counter(), time.process_time()
            report = await services.imports.run(KEY, [ImportSource(path, path.stem) for path in paths])
            spent = _Spent(len(paths), time.perf_counter() - began, time.process_time() - cpu)
    assert report.added == len(paths), report
    return spent


async def _lookups_alone(paths: Sequence[Path]) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        async with build_services(Settings(data_dir=Path(data), read_text="off")) as services:
            await services.databases.create(KEY)
            await services.imports.run(KEY, [ImportSource(path, path.stem) for path in paths[: len(paths) // 2]])
            return await _look_up(services, paths, asyncio.Event(), LOOKUPS)


async def _look_up(services: Services, paths: Sequence[Path], over: asyncio.Event, most: int) -> list[float]:
    """Look pictures up at intervals, and return the seconds that each took."""
    spent: list[float] = []
    for number in range(most):
        content = await asyncio.to_thread(paths[number % len(paths)].read_bytes)
        began = time.perf_counter()

        async def read(content: bytes = content) -> Any:
            return await services.normaliser.picture(content)

        await services.lookup.look_up(KEY, [("query", read)])
        spent.append(time.perf_counter() - began)
        await asyncio.sleep(max(0.0, LOOKUP_EVERY_S - spent[-1]))
        if over.is_set():
            break
    return spent


async def _from_history(root: Path, paths: Sequence[Path], *, lookups: bool) -> _Spent:
    """Read a channel whose messages have the pictures of a folder."""
    async with _bot(root) as app:
        services, over = app.services, asyncio.Event()
        new = NewHistoryImport(
            workspace=KEY.workspace,
            enterprise="",
            channel=history_slack.CHANNEL,
            database=KEY.name,
            latest="9999999999.0",
        )
        began, cpu = time.perf_counter(), time.process_time()
        given = await services.storage.history.start(new)
        assert given is not None
        number = given.id
        asking = asyncio.create_task(_look_up(services, paths, over, 100_000 if lookups else 0))
        while given.status.is_active:
            await asyncio.sleep(0.2)
            given = await services.storage.history.get(number) or given
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
        over.set()
        answers = await asking
    assert (given.status, given.added) == (HistoryStatus.DONE, len(paths)), given
    return _Spent(len(paths), seconds, cpu_seconds, answers)


@asynccontextmanager
async def _bot(root: Path) -> AsyncIterator[SlackApp]:
    """Run a bot with an empty database, in whose channel every fifth message has a picture."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        async with history_slack.running(root, MESSAGES) as url:
            settings = Settings(
                data_dir=Path(data),
                read_text="off",
                slack_bot_token="xoxb-bench",
                slack_api_url=url,
                history_calls_per_min=1_000_000,
            )
            async with build(settings) as app:
                await app.services.databases.create(KEY)
                await asyncio.sleep(4)
                yield app
