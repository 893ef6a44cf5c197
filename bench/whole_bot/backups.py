"""Measure how soon Slack gets its acknowledgements while the bot and ``vsearch backup`` copy 10,000 images.

Somebody shares an edited copy of a picture in the database every second, 3,600 an hour, first for a while without a
backup and then until both backups are done. The bot makes the first one itself, as ``VSEARCH_BACKUP_DIR`` says; the
command makes the second one. Each is restored, and ``vsearch reconcile`` compares catalogue and index there.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.report import Row
from bench.whole_bot import bot_process, shares
from bench.whole_bot.stand_in import StandIn

EVERY_S = 1.0
ALONE_S = 20.0
PICTURE_BYTES = 60_000
COPIES = 60
SLOWEST_TARGET_S = 0.3
WITHIN_S = 600.0

_ROOT = Path(__file__).parents[2]


async def run() -> list[Row]:
    """Measure acknowledgements beside backups, and restore these."""
    data_dir = await shares.database()
    await asyncio.to_thread(_add_files, data_dir)
    pictures = await asyncio.to_thread(lambda: list(shares.copies(COPIES)))
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-", dir=data_dir.parent) as name:
        folder = Path(name)
        seconds, by_bot = await _share_beside_backups(data_dir, folder, pictures)
        agree = [
            await _agrees(folder / f"restored_{number}", backup)
            for number, backup in enumerate((by_bot, folder / "command"))
        ]
    slowest = "acknowledgement beside a backup of 10,000 images, slowest"
    return [
        Row(slowest, max(seconds) * 1000, "ms", limit=SLOWEST_TARGET_S * 1000),
        Row("restored backups in which reconcile finds a difference", agree.count(False), "backups", limit=0),
    ]


async def _share_beside_backups(
    data_dir: Path, folder: Path, pictures: Sequence[bytes]
) -> tuple[Sequence[float], Path]:
    alone: list[float] = []
    seconds: list[float] = []
    scheduled = folder / "scheduled"
    async with StandIn() as slack:
        # The content of the stored pictures is random.
        settings = {**shares.over_http(slack, data_dir), "VSEARCH_READ_TEXT": "off"}
        async with bot_process.running("timed", folder / "notes", settings) as url:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALONE_S):
                    await _share_all(slack, url, pictures, alone)
        settings |= {"VSEARCH_BACKUP_DIR": str(scheduled)}
        started = time.perf_counter()
        async with bot_process.running("timed", folder / "notes", settings) as url, asyncio.TaskGroup() as group:
            sharing = group.create_task(_share_all(slack, url, pictures, seconds))
            by_bot = await _until_there(scheduled)
            between = time.perf_counter()
            assert await _vsearch(data_dir, "backup", str(folder / "command")) == 0
            ended = time.perf_counter()
            sharing.cancel()
    print(f"backups: the slowest of {len(alone)} acknowledgements without a backup took {max(alone) * 1000:.0f} ms")
    ordered = sorted(seconds)
    print(
        f"backups: the bot's took {between - started:.0f} s, the command's {ended - between:.0f} s;"
        f" {len(seconds)} shares acknowledged in {ordered[len(ordered) // 2] * 1000:.1f} ms (median),"
        f" {ordered[int(len(ordered) * 0.99)] * 1000:.1f} ms (p99)"
    )
    return seconds, by_bot


async def _share_all(slack: StandIn, url: str, pictures: Sequence[bytes], seconds: list[float]) -> None:
    async def share(content: bytes) -> None:
        seconds.append(await slack.post(url, slack.share(content)[1]))

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, content in enumerate(itertools.cycle(pictures)):
            await asyncio.sleep(started + number * EVERY_S - time.perf_counter())
            group.create_task(share(content))


async def _until_there(folder: Path) -> Path:
    async with asyncio.timeout(WITHIN_S):
        while not (found := await asyncio.to_thread(lambda: list(folder.glob("vsearch-*")))):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return found[0]


async def _agrees(data_dir: Path, backup: Path) -> bool:
    restored = await _vsearch(data_dir, "restore", str(backup))
    return restored == 0 and await _vsearch(data_dir, "reconcile") == 0


async def _vsearch(data_dir: Path, *arguments: str) -> int:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT), "VSEARCH_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "bot", *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=data_dir.parent)
    return await process.wait()


def _add_files(data_dir: Path) -> None:
    """Write a file for each picture that only the catalogue has. Its content doesn't matter for a copy."""
    with closing(sqlite3.connect(data_dir / "vsearch.db")) as connection:
        digests = [digest for (digest,) in connection.execute("SELECT digest FROM images")]
    for digest in digests:
        path = data_dir / "pictures" / digest[:2] / f"{digest}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random.randbytes(PICTURE_BYTES))
