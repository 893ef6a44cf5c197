"""Reindexing: move a database to another model. A run can stop at any moment, and the next one resumes it.

Images whose vector is of an earlier version, without point features, are done again too.
The new model's vectors are stored beside the old ones, which searches keep using. Once every image has a new vector,
one transaction switches the database to the new model. Then the old vectors are deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.adapters.embedded.calibration.stored import ManualCurve, parse
from bot.adapters.embedded.engine import pack_features
from bot.adapters.embedded.ports import FeatureExtractor
from bot.adapters.embedded.store import DatabaseState, PackedFeatures, VectorRows, VectorStore
from bot.adapters.embedded.verification.point_completion import PointCompletion
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.pictures import Picture
from bot.images.features import pending_points

CONCURRENCY = 8
"""Pictures that are processed at the same time, so that the model can run batches."""

DELETE_BATCH = 500
"""Old vectors that one transaction deletes."""

LoadPicture = Callable[[DataId], Awaitable[Picture]]
"""Returns an image's stored picture. Raises KeyError if there is none, or a UserError if it can't be read."""

OnReindexed = Callable[[int], None]
"""Receives the number of images processed since the last call."""


@dataclass(frozen=True, slots=True)
class ReindexResult:
    """The result of a run: how many images were done, and which ones are unreadable.

    If any image is unreadable, the database keeps its old model until that image is deleted. ``uncalibrated`` says that
    the curve that an operator fitted was dropped, because it was fitted to the old embeddings.
    """

    done: int
    unreadable: tuple[DataId, ...]
    uncalibrated: bool = False


class Reindexer:
    """Replaces a database's vectors by those of the extractor's model."""

    def __init__(self, store: VectorStore, extractor: FeatureExtractor) -> None:
        self._store = store
        self._extractor = extractor

    async def reindex(
        self, database: DatabaseKey, load_picture: LoadPicture, progress: OnReindexed = lambda _: None
    ) -> ReindexResult:
        """Compute the features that images lack, then switch the database to this model. Raises UnknownDatabase."""
        done = 0
        await self._complete_points()
        while True:
            database_id = (await self._store.read(lambda rows: rows.state(database))).id
            embedded, unreadable = await self._embed_all(database_id, load_picture, progress)
            done += embedded
            if unreadable:
                return ReindexResult(done, unreadable)
            before = await self._store.write(lambda rows: self._switch(rows, database))
            if before is not None:
                break
        await self._drop_old(database_id)
        # A curve from the database's own pairs comes back by itself.
        by_hand = isinstance(parse(before.calibration), ManualCurve)
        return ReindexResult(done, (), by_hand and before.model_id != self._extractor.model_id)

    async def _complete_points(self) -> None:
        """Compute the points that adds left out, of all databases, so that none is pending."""
        points = PointCompletion(self._store)
        while await points.complete_some(CONCURRENCY):
            pass

    async def _embed_all(
        self, database_id: int, load_picture: LoadPicture, progress: OnReindexed
    ) -> tuple[int, tuple[DataId, ...]]:
        done, after = 0, 0
        unreadable: list[DataId] = []
        while missing := await self._store.read(self._missing(database_id, after)):
            failed = await self._embed_batch(database_id, missing, load_picture)
            unreadable += failed
            done += len(missing) - len(failed)
            after = missing[-1][0]
            progress(len(missing))
        return done, tuple(unreadable)

    def _missing(self, database_id: int, after: int) -> Callable[[VectorRows], Sequence[tuple[int, DataId]]]:
        return lambda rows: rows.images_without_points(database_id, self._extractor.model_id, after, CONCURRENCY)

    async def _embed_batch(
        self, database_id: int, images: Sequence[tuple[int, DataId]], load_picture: LoadPicture
    ) -> list[DataId]:
        """Store the vectors of some images. Returns the images whose pictures can't be read."""

        async def extract(data_id: DataId) -> PackedFeatures | None:
            try:
                picture = await load_picture(data_id)
            except (KeyError, UserError):
                return None
            packed = pack_features(await self._extractor.extract(picture))
            # A reindex leaves nothing for later.
            points = packed[3] or await asyncio.to_thread(pending_points.complete, packed[4])
            return *packed[:3], points, b""

        extracted = await asyncio.gather(*(extract(data_id) for _, data_id in images))
        model_id = self._extractor.model_id

        def work(rows: VectorRows) -> None:
            for (image_id, _), features in zip(images, extracted, strict=True):
                if features is not None:
                    rows.add_vector(database_id, image_id, model_id, features)
                    # The vector may be one that an earlier version computed without point features.
                    rows.add_point_features(image_id, model_id, features[3])

        await self._store.write(work)
        return [data_id for (_, data_id), features in zip(images, extracted, strict=True) if features is None]

    def _switch(self, rows: VectorRows, database: DatabaseKey) -> DatabaseState | None:
        """Switch the database to the new vectors. Returns the old state, or None if an image still lacks a vector."""
        state, model_id = rows.state(database), self._extractor.model_id
        if rows.images_without_vector(state.id, model_id, 0, 1):
            return None
        if state.model_id != model_id:
            rows.set_model(state.id, model_id)
            # The calibration curve was fitted to the old model's cosines.
            rows.set_calibration(state.id, None)
        return state

    async def _drop_old(self, database_id: int) -> None:
        model_id = self._extractor.model_id
        while await self._store.write(lambda rows: rows.drop_other_vectors(database_id, model_id, DELETE_BATCH)):
            pass
