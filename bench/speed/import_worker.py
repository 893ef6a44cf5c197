"""One worker of ``bench workers``: prints that it is ready, waits for a line on stdin, and imports a folder."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.samples.synthetic import KEY
from bot.app.services import build_services
from bot.config.settings import Settings
from bot.services.images.import_sources import sources_at


async def _work(folder: Path, url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as data:
        settings = Settings(data_dir=Path(data), database_url=url, backend="pgvector", threads=1)
        async with build_services(settings) as services:
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            started, worked = time.perf_counter(), time.process_time()
            report = await services.imports.run(KEY, sources_at(folder))
            print(report.added, time.perf_counter() - started, time.process_time() - worked, flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        os.sched_setaffinity(0, {int(sys.argv[3])})
    asyncio.run(_work(Path(sys.argv[1]), sys.argv[2]))
