"""Measure the import against bare decoding, embedding, PDQ and ORB on as many threads as cores.

Neither computes SIFT points, which come after an import.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import cv2
import numpy as np
from PIL import Image

from bench.report import Row, TargetSide
from bench.samples import sample_pictures, synthetic
from bench.samples.synthetic import KEY
from bot.app.services import build_services
from bot.config.settings import Settings
from bot.images.features import fingerprint
from bot.services.images.import_sources import ImportSource

PICTURES = 120
ROUNDS = 3
LARGE_SIDE = 1600
TARGET, LARGE_TARGET = 0.85, 0.92
_MOST = 1023
_POINTS, _LONGEST = 500, 400

_detectors = local()


async def run() -> list[Row]:
    """Import the pictures as they are, and enlarged, so that decoding weighs more."""
    small = sample_pictures.paths()[:PICTURES]
    large = await asyncio.to_thread(sample_pictures.enlarged, LARGE_SIDE, PICTURES)
    rows = []
    measured = (("as they are", small, TARGET), (f"enlarged to {LARGE_SIDE} px", large, LARGE_TARGET))
    for name, paths, least in measured:
        ours, bare = await _alternately(paths)
        note = f"{len(paths)} pictures, {ROUNDS} rounds"
        rows.append(
            Row(f"import, pictures {name}", ours, "images/s", bare, "bare calls", least, TargetSide.AT_LEAST, note)
        )
    return rows


async def _alternately(paths: Sequence[Path]) -> tuple[float, float]:
    """Return images per second of the service and of the bare calls, measured alternately."""
    cv2.setNumThreads(1)
    ours, bare = [], []
    for number in range(-1, ROUNDS):
        some = paths if number >= 0 else paths[:16]
        first, second = (_import_seconds, _bare_seconds) if number % 2 else (_bare_seconds, _import_seconds)
        rates = {turn: len(some) / await turn(some) for turn in (first, second)}
        if number >= 0:
            ours.append(rates[_import_seconds])
            bare.append(rates[_bare_seconds])
    return statistics.median(ours), statistics.median(bare)


async def _import_seconds(paths: Sequence[Path]) -> float:
    """Return the seconds of an import into an empty data directory. Opening the directory is not counted."""
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        async with build_services(Settings(data_dir=Path(folder))) as services:
            await services.databases.create(KEY)
            sources = [ImportSource(path, f"picture_{number}") for number, path in enumerate(paths)]
            started = time.perf_counter()
            report = await services.imports.run(KEY, sources)
            spent = time.perf_counter() - started
    assert report.added == len(paths), report
    return spent


async def _bare_seconds(paths: Sequence[Path]) -> float:
    """Return the seconds of the bare calls, which store nothing."""
    return await asyncio.to_thread(_all_bare, paths)


def _all_bare(paths: Sequence[Path]) -> float:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        started = time.perf_counter()
        list(threads.map(_look, paths))
        return time.perf_counter() - started


def _look(path: Path) -> None:
    model = synthetic.model()
    with Image.open(path) as image:
        image.draft("RGB", (_MOST, _MOST))
        picture = image.convert("RGB")
    picture.thumbnail((_MOST, _MOST), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    model.run([model.prepare(pixels)])
    fingerprint.pdq(pixels)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = _LONGEST / max(gray.shape)
    size = (round(gray.shape[1] * scale), round(gray.shape[0] * scale))
    _detector().detectAndCompute(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), None)


def _detector() -> cv2.ORB:
    """Return this thread's detector."""
    found: cv2.ORB | None = getattr(_detectors, "orb", None)
    if found is None:
        found = _detectors.orb = cv2.ORB.create(nfeatures=_POINTS)
    return found
