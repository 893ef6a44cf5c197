"""Moves a database to another model, picture by picture, and can be stopped at any moment.

The new model's vectors are kept beside the old ones, which stay in use. When none is missing, one transaction makes
the database search the new ones; then the old ones are deleted. Whatever stops it, a second run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.adapters.embedded.engine import pack_features
from bot.adapters.embedded.ports import FeatureExtractor
from bot.adapters.embedded.store import DatabaseState, PackedFeatures, VectorRows, VectorStore
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.pictures import Picture

CONCURRENCY = 8
DELETE_BATCH = 500

LoadPicture = Callable[[DataId], Awaitable[Picture]]
"""Gives an image's stored picture. Raises KeyError or a UserError if there is none that can be read."""

OnReindexed = Callable[[int], None]
"""Told how many images were done since the last call."""


@dataclass(frozen=True, slots=True)
class ReindexResult:
    """What a run did. With images ``unreadable``, the database stays with its old model until they are deleted.

    ``uncalibrated``: the database had a score curve of its own, which was fitted to the old embeddings and is gone.
    """

    done: int
    unreadable: tuple[DataId, ...]
    uncalibrated: bool = False


class Reindexer:
    """Fills a database with another model's vectors."""

    def __init__(self, store: VectorStore, extractor: FeatureExtractor) -> None:
        self._store = store
        self._extractor = extractor

    async def reindex(
        self, database: DatabaseKey, load_picture: LoadPicture, progress: OnReindexed = lambda _: None
    ) -> ReindexResult:
        """Look at every image that this model has not seen, and then search by what it saw. Raises UnknownDatabase."""
        done = 0
        while True:
            database_id = (await self._store.read(lambda rows: rows.state(database))).id
            seen, unreadable = await self._embed_all(database_id, load_picture, progress)
            done += seen
            if unreadable:
                return ReindexResult(done, unreadable)
            before = await self._store.write(lambda rows: self._switch(rows, database))
            if before is not None:
                break
        await self._drop_old(database_id)
        return ReindexResult(done, (), before.calibration is not None and before.model_id != self._extractor.model_id)

    async def _embed_all(
        self, database_id: int, load_picture: LoadPicture, progress: OnReindexed
    ) -> tuple[int, tuple[DataId, ...]]:
        done, after = 0, 0
        unreadable: list[DataId] = []
        while missing := await self._store.read(self._missing(database_id, after)):
            failed = await self._embed_some(database_id, missing, load_picture)
            unreadable += failed
            done += len(missing) - len(failed)
            after = missing[-1][0]
            progress(len(missing))
        return done, tuple(unreadable)

    def _missing(self, database_id: int, after: int) -> Callable[[VectorRows], Sequence[tuple[int, DataId]]]:
        return lambda rows: rows.images_without_vector(database_id, self._extractor.model_id, after, CONCURRENCY)

    async def _embed_some(
        self, database_id: int, images: Sequence[tuple[int, DataId]], load_picture: LoadPicture
    ) -> list[DataId]:
        """Keep what the model sees in some images; those that could not be read."""

        async def look(data_id: DataId) -> PackedFeatures | None:
            try:
                picture = await load_picture(data_id)
            except (KeyError, UserError):
                return None
            return pack_features(await self._extractor.extract(picture))

        # Several at once, so that the model works on batches.
        looks = await asyncio.gather(*(look(data_id) for _, data_id in images))
        model_id = self._extractor.model_id

        def work(rows: VectorRows) -> None:
            for (image_id, _), features in zip(images, looks, strict=True):
                if features is not None:
                    rows.add_vector(database_id, image_id, model_id, features)

        await self._store.write(work)
        return [data_id for (_, data_id), features in zip(images, looks, strict=True) if features is None]

    def _switch(self, rows: VectorRows, database: DatabaseKey) -> DatabaseState | None:
        """Search the new vectors. Returns the state before, or None if an image was added meanwhile that has none."""
        state, model_id = rows.state(database), self._extractor.model_id
        if rows.images_without_vector(state.id, model_id, 0, 1):
            return None
        if state.model_id != model_id:
            rows.set_model(state.id, model_id)
            # The curve was fitted to the old model's cosines.
            rows.set_calibration(state.id, None)
        return state

    async def _drop_old(self, database_id: int) -> None:
        model_id = self._extractor.model_id
        while await self._store.write(lambda rows: rows.drop_other_vectors(database_id, model_id, DELETE_BATCH)):
            pass
