"""Measure the memory and time of decoding: every format and mode at 50 megapixels, ten at once, against the limit.

Each case runs in a process of its own. Memory is that of the process and its decoder processes together, beyond what
the idle process had.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import Row

if TYPE_CHECKING:
    from bot.images.decode.normaliser import Normaliser
    from bot.images.memory import DownloadMemory

LIMIT_MB = 600.0
AT_ONCE = 10
SMALL_BUDGETS_MB = (160,)
CASES = (
    "jpeg",
    "jpeg progressive 4:4:4",
    "jpeg progressive CMYK",
    "png",
    "png profile",
    "png RGBA",
    "png LA",
    "png palette",
    "png 1 bit",
    "png 16 bits",
    "png RGB 16 bits",
    "apng",
    "gif",
    "gif animated",
    "bmp 1 bit",
    "tiff float",
    "tiff 32 bits",
    "tiff 16 bits",
    "tiff CMYK",
    "tiff LAB",
    "tiff one strip RGB 16 bits",
    "tiff pages",
    "webp",
    "webp RGBA",
    "webp lossless",
    "webp animated",
    "webp of 40 bytes",
    "avif",
    "avif RGBA",
    "avif sequence",
    "heif",
    "heif RGBA",
)
TIMED = ("jpeg 640", "jpeg 12", "png 12", "webp 12", "avif 12")

_ROOT = Path(__file__).parents[2]


async def run() -> list[Row]:
    """Measure all cases with the default budget, and some with a small one."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            path = Path(folder, case)
            await _child("make", case, str(path))
            for budget in (0, *SMALL_BUDGETS_MB):
                rows.append(_row(case, await _child("measure", str(path), str(budget)), budget))
                print(f"  {rows[-1].what}: {rows[-1].measured:.0f} MB, {rows[-1].note}", flush=True)
            await asyncio.to_thread(path.unlink)
        for case in TIMED:
            path = Path(folder, case)
            await _child("make", case, str(path))
            answer = await _child("time", str(path))
            rows.append(Row(f"decode {case}", answer["ms"], "ms", note=f"first {answer['first_ms']:.0f} ms"))
    return rows


def _row(case: str, answer: dict[str, float], budget: int) -> Row:
    limit = min(LIMIT_MB, budget or LIMIT_MB)
    note = f"{answer['accepted']:.0f} of {AT_ONCE} accepted in {answer['seconds']:.1f} s, file {answer['mb']:.1f} MB"
    name = f"{case}, {AT_ONCE} at once" + (f", budget {budget} MB" if budget else "")
    return Row(name, answer["peak_mb"], "MB", limit=limit, note=note)


async def _child(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.speed.decoding", *arguments]
    done = await asyncio.to_thread(subprocess.run, command, cwd=_ROOT, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout or "{}")
    return answer


class MemorySampler(threading.Thread):
    """Samples the resident memory of this process and its children."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._stopped = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._stopped.is_set():
            self.peak = max(self.peak, resident_bytes())
            time.sleep(0.003)

    def stop(self) -> None:
        """Stop sampling."""
        self._stopped.set()
        self.join()


def resident_bytes() -> int:
    """Return the resident memory of this process and its decoder processes, shared pages counted once."""
    children = "".join(
        task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir() if task.exists()
    )
    total = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    for process in children.split():
        try:
            # Until it starts the decoder, a new process shows this one's memory.
            if b"decode.worker" in Path(f"/proc/{process}/cmdline").read_bytes():
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0]) * 1024
        except (OSError, IndexError):
            continue
    return total


def _normaliser(budget_mb: int) -> tuple[Normaliser, DownloadMemory]:
    from bot.app.back_ends.dependencies import new_download_memory, new_normaliser  # noqa: PLC0415 - slow import
    from bot.config.settings import Settings  # noqa: PLC0415

    settings = Settings(image_memory_mb=budget_mb, threads=4) if budget_mb else Settings(threads=4)
    return new_normaliser(settings), new_download_memory(settings)


async def _measure(path: Path, budget_mb: int) -> dict[str, float]:
    from bot.domain.errors import PictureRefused  # noqa: PLC0415
    from bot.images.memory import expect_bytes  # noqa: PLC0415

    normaliser, downloads = _normaliser(budget_mb)
    size = (await asyncio.to_thread(path.stat)).st_size
    idle, sampler = resident_bytes(), MemorySampler()
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def one() -> bool:
        async with downloads.hold():
            data = await asyncio.to_thread(path.read_bytes)
            expect_bytes(len(data))
            try:
                await normaliser.picture_and_jpeg(data)
            except PictureRefused as error:
                print(error, file=sys.stderr)
                return False
            return True

    sampler.start()
    started = time.perf_counter()
    accepted = sum(await asyncio.gather(*(one() for _ in range(AT_ONCE))))
    seconds = time.perf_counter() - started
    sampler.stop()
    await normaliser.close()
    own = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - largest) * 1024
    peak = max(sampler.peak - idle, own)
    return {"peak_mb": peak / 1e6, "accepted": accepted, "seconds": seconds, "mb": size / 1e6}


async def _time(path: Path) -> dict[str, float]:
    normaliser, _ = _normaliser(0)
    data = await asyncio.to_thread(path.read_bytes)
    times = []
    for _ in range(8):
        started = time.perf_counter()
        await normaliser.picture_and_jpeg(data)
        times.append(1000 * (time.perf_counter() - started))
    await normaliser.close()
    return {"ms": min(times[1:]), "first_ms": times[0]}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "make":
        from bench.samples.large_pictures import make

        os.nice(5)
        Path(rest[1]).write_bytes(make(rest[0]))
    elif what == "measure":
        print(json.dumps(asyncio.run(_measure(Path(rest[0]), int(rest[1])))))
    else:
        print(json.dumps(asyncio.run(_time(Path(rest[0])))))
