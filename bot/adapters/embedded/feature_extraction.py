"""Feature extraction: compute a picture's embedding, fingerprint and local features."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.model.batch_runner import BatchRunner
from bot.adapters.embedded.model.embedding import EmbeddingModel, Vectors
from bot.adapters.embedded.ports import ImageFeatures, QueryFeatures
from bot.domain.errors import BackendDown
from bot.domain.matches import PictureRegion
from bot.domain.pictures import Picture
from bot.images.features import fingerprint, local_features, pending_points
from bot.images.features.query_views import QueryRegion
from bot.images.features.regions import content_box, region_proposals
from bot.images.features.regions.content_box import Box, Pixels
from bot.images.features.regions.picture_regions import as_part, box_of, region_of


class PictureFeatureExtractor:
    """Satisfies ``FeatureExtractor`` with ``threads`` threads for image processing and as many for the model."""

    def __init__(self, model: EmbeddingModel, threads: int) -> None:
        # OpenCV's own threads would compete with ours for the same cores.
        cv2.setNumThreads(1)
        self._model = model
        self._runner = BatchRunner(model, threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="features")
        self._closed = False
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def model_id(self) -> str:
        """The id of the model and its preprocessing."""
        return self._model.model_id

    @property
    def dimensions(self) -> int:
        """The length of an embedding."""
        return self._model.dimensions

    async def extract(self, picture: Picture) -> ImageFeatures:
        """Return the features to store for a picture, with pending points. Raises BackendError."""
        loop = asyncio.get_running_loop()
        with self._in_flight():
            future: asyncio.Future[Vectors] = loop.create_future()
            # One step instead of three: each change of threads costs 0.1 ms.
            hashed, packed, pending = await loop.run_in_executor(self._pool, self._extract_now, picture, future)
            embedding = await future
        return ImageFeatures(embedding, hashed, packed, pending_points=pending)

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        """Return the query features of a picture and, if it has one, of its content box. Raises BackendError."""
        loop = asyncio.get_running_loop()
        with self._in_flight():
            boxes = await loop.run_in_executor(self._pool, _whole_and_content, picture.pixels)
            return await self._features_of(picture.pixels, boxes)

    async def propose_regions(self, picture: Picture) -> tuple[PictureRegion, ...]:
        """Return regions that may show other pictures, without the content box."""
        loop = asyncio.get_running_loop()
        with self._in_flight():
            boxes = await loop.run_in_executor(self._pool, _proposed, picture.pixels)
        return tuple(region_of(box, picture.width, picture.height) for box in boxes)

    async def extract_regions(self, picture: Picture, regions: Sequence[PictureRegion]) -> tuple[QueryFeatures, ...]:
        """Return the query features of each of these parts of a picture. Raises BackendError."""
        with self._in_flight():
            boxes = [box_of(region, picture.width, picture.height) for region in regions]
            return tuple(await asyncio.gather(*(self._features_of(picture.pixels, [box]) for box in boxes)))

    async def _features_of(self, pixels: Pixels, boxes: Sequence[Box]) -> QueryFeatures:
        """Return the features of a picture's rectangles, as views of one query."""
        loop = asyncio.get_running_loop()
        views, prepared = await loop.run_in_executor(self._pool, self._prepare_views, pixels, boxes)
        embeddings, (fingerprints, regions) = await asyncio.gather(
            asyncio.gather(*map(self._runner.embed, prepared)),
            loop.run_in_executor(self._pool, _query_regions, views, boxes, pixels.shape, self._pool),
        )
        return QueryFeatures(np.stack(embeddings), fingerprints, regions)

    @contextmanager
    def _in_flight(self) -> Iterator[None]:
        if self._closed:
            raise BackendDown("the feature extractor is closed")
        self._active += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def close(self) -> None:
        """Finish the calls in flight and stop the threads. Later calls raise BackendDown."""
        self._closed = True
        await self._idle.wait()
        await self._runner.close()
        await asyncio.to_thread(self._pool.shutdown)

    def _prepare_views(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[list[Pixels], list[npt.NDArray[Any]]]:
        """Return a picture's rectangles, and the model's inputs for them."""
        views = [np.ascontiguousarray(pixels[top:bottom, left:right]) for left, top, right, bottom in boxes]
        return views, [self._model.prepare(view) for view in views]

    def _extract_now(self, picture: Picture, embedding: asyncio.Future[Vectors]) -> tuple[bytes, bytes, bytes]:
        """Return fingerprint, packed local features and pending points, and let the model compute the embedding."""
        self._runner.submit(self._model.prepare(picture.pixels), embedding)
        gray = fingerprint.luminance(picture.pixels)
        packed = local_features.extract_local_features(picture.pixels, gray).pack()
        return fingerprint.compute(picture, gray), packed, pending_points.pack(gray)


def _whole_and_content(pixels: Pixels) -> list[Box]:
    height, width = pixels.shape[:2]
    content = content_box.content_box(pixels)
    whole = (0, 0, width, height)
    return [whole] if content is None else [whole, content]


def _proposed(pixels: Pixels) -> list[Box]:
    content = content_box.content_box(pixels)
    return region_proposals.region_proposals(pixels, () if content is None else (content,))


def _query_regions(
    views: Sequence[Pixels], boxes: Sequence[Box], shape: tuple[int, ...], pool: Executor
) -> tuple[npt.NDArray[np.uint8], tuple[object, ...]]:
    """Return the fingerprints of all views in eight orientations (n × 32), and a QueryRegion for each view.

    The last fingerprint is that of the first view's negative, whose bits are those of the view inverted. A view with
    too little detail for a fingerprint has no rows. Each region therefore records its own range of rows.
    """
    height, width = shape[:2]
    fingerprints: list[npt.NDArray[np.uint8]] = []
    regions: list[QueryRegion] = []
    first = 0
    for pixels, box in zip(views, boxes, strict=True):
        gray = fingerprint.luminance(pixels)
        oriented = fingerprint.orientations(gray)
        fingerprints.append(oriented)
        region = region_of(box, width, height)
        share = region.width * region.height
        rows = range(first, first + len(oriented))
        regions.append(QueryRegion(pixels, gray, rows, share, part=as_part(region), pool=pool))
        first += len(oriented)
    if len(fingerprints[0]):
        regions[0].inverted_rows = range(first, first + 1)
        fingerprints.append(~fingerprints[0][:1])
    return np.concatenate(fingerprints), tuple(regions)
