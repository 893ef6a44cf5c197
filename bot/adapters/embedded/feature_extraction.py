"""Pictures to what is kept and compared: embedding, fingerprint and sketch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.model.batch_runner import BatchRunner
from bot.adapters.embedded.model.embedding import EmbeddingModel
from bot.adapters.embedded.ports import ImageFeatures, QueryFeatures
from bot.domain.errors import BackendDown
from bot.domain.pictures import Picture
from bot.images.features import content_box, fingerprint, local_features

Pixels = npt.NDArray[np.uint8]


class PictureFeatureExtractor:
    """The Analyser of the embedded engine: ``threads`` threads for pictures, and as many for the model."""

    def __init__(self, model: EmbeddingModel, threads: int) -> None:
        # OpenCV's own threads would fight with ours for the same cores.
        cv2.setNumThreads(1)
        self._model = model
        self._runner = BatchRunner(model, threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="analysis")
        self._closed = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def model_id(self) -> str:
        """Names the model and its preparation."""
        return self._model.model_id

    @property
    def dimensions(self) -> int:
        """Length of an embedding."""
        return self._model.dimensions

    async def extract(self, picture: Picture) -> ImageFeatures:
        """For an add. Raises BackendError."""
        loop = asyncio.get_running_loop()
        with self._in_flight():
            prepared, mark, drawn = await loop.run_in_executor(self._pool, self._extract_now, picture)
            embedding = await self._runner.embed(prepared)
        return ImageFeatures(embedding, mark, drawn)

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        """For a search: the picture, and its content box where it has one. Raises BackendError."""
        loop = asyncio.get_running_loop()
        with self._in_flight():
            views = await loop.run_in_executor(self._pool, self._views, picture.pixels)
            vectors = [self._runner.embed(prepared) for _, prepared in views]
            embeddings, (rows, regions) = await asyncio.gather(
                asyncio.gather(*vectors),
                loop.run_in_executor(self._pool, _query_views, [pixels for pixels, _ in views]),
            )
        return QueryFeatures(np.stack(embeddings), rows, regions)

    @contextmanager
    def _in_flight(self) -> Iterator[None]:
        if self._closed:
            raise BackendDown("the analyser was shut down")
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def close(self) -> None:
        """Finish what was begun and let go of threads; what comes later raises BackendDown."""
        self._closed = True
        await self._idle.wait()
        await self._runner.close()
        await asyncio.to_thread(self._pool.shutdown)

    def _extract_now(self, picture: Picture) -> tuple[npt.NDArray[Any], bytes, bytes]:
        gray = fingerprint.luminance(picture.pixels)
        drawn = local_features.extract_local_features(picture.pixels, gray).pack()
        return self._model.prepare(picture.pixels), fingerprint.compute(picture), drawn

    def _views(self, pixels: Pixels) -> list[tuple[Pixels, npt.NDArray[Any]]]:
        views = [pixels]
        box = content_box.content_box(pixels)
        if box is not None:
            left, top, right, bottom = box
            views.append(np.ascontiguousarray(pixels[top:bottom, left:right]))
        return [(view, self._model.prepare(view)) for view in views]


def _query_views(views: list[Pixels]) -> tuple[npt.NDArray[np.uint8], tuple[object, ...]]:
    """Fingerprints in eight orientations of each view, and what the judge lays on the stored sketches.

    A view without enough detail for a fingerprint has no rows, so each look remembers which rows are its own.
    """
    rows: list[npt.NDArray[np.uint8]] = []
    regions: list[object] = []
    for pixels in views:
        gray = fingerprint.luminance(pixels)
        turned = fingerprint.orientations(gray)
        first = sum(len(part) for part in rows)
        rows.append(turned)
        share = pixels.size / views[0].size
        regions.append(local_features.QueryRegion(pixels, gray, range(first, first + len(turned)), share))
    return np.concatenate(rows), tuple(regions)
