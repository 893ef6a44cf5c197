"""Moves a database to another model, picture by picture, and can be stopped at any moment.

The new model's vectors are kept beside the old ones, which stay in use. When none is missing, one transaction makes
the database search the new ones; then the old ones are deleted. Whatever stops it, a second run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.adapters.embedded.engine import kept
from bot.adapters.embedded.ports import Analyser
from bot.adapters.embedded.store import DatabaseState, KeptFeatures, Rows, Store
from bot.errors import UserError
from bot.models import DatabaseKey, DataId, Picture

AT_ONCE = 8
DELETED_AT_ONCE = 500

PictureOf = Callable[[DataId], Awaitable[Picture]]
"""Gives an image's stored picture. Raises KeyError or a UserError if there is none that can be read."""

Progress = Callable[[int], None]
"""Told how many images were done since the last call."""


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What a run did. With images ``unreadable``, the database stays with its old model until they are deleted.

    ``uncalibrated``: the database had a score curve of its own, which was fitted to the old embeddings and is gone.
    """

    done: int
    unreadable: tuple[DataId, ...]
    uncalibrated: bool = False


class Reindexer:
    """Fills a database with another model's vectors."""

    def __init__(self, store: Store, analyser: Analyser) -> None:
        self._store = store
        self._analyser = analyser

    async def reindex(
        self, database: DatabaseKey, picture_of: PictureOf, progress: Progress = lambda _: None
    ) -> Reindexed:
        """Look at every image that this model has not seen, and then search by what it saw. Raises UnknownDatabase."""
        done = 0
        while True:
            database_id = (await self._store.read(lambda rows: rows.state(database))).id
            seen, unreadable = await self._look_at_all(database_id, picture_of, progress)
            done += seen
            if unreadable:
                return Reindexed(done, unreadable)
            before = await self._store.write(lambda rows: self._switch(rows, database))
            if before is not None:
                break
        await self._drop_old(database_id)
        return Reindexed(done, (), before.calibration is not None and before.model_id != self._analyser.model_id)

    async def _look_at_all(
        self, database_id: int, picture_of: PictureOf, progress: Progress
    ) -> tuple[int, tuple[DataId, ...]]:
        done, after = 0, 0
        unreadable: list[DataId] = []
        while missing := await self._store.read(self._missing(database_id, after)):
            failed = await self._look_at(database_id, missing, picture_of)
            unreadable += failed
            done += len(missing) - len(failed)
            after = missing[-1][0]
            progress(len(missing))
        return done, tuple(unreadable)

    def _missing(self, database_id: int, after: int) -> Callable[[Rows], Sequence[tuple[int, DataId]]]:
        return lambda rows: rows.without_vector(database_id, self._analyser.model_id, after, AT_ONCE)

    async def _look_at(
        self, database_id: int, images: Sequence[tuple[int, DataId]], picture_of: PictureOf
    ) -> list[DataId]:
        """Keep what the model sees in some images; those that could not be read."""

        async def look(data_id: DataId) -> KeptFeatures | None:
            try:
                picture = await picture_of(data_id)
            except (KeyError, UserError):
                return None
            return kept(await self._analyser.features(picture))

        # Several at once, so that the model works on batches.
        looks = await asyncio.gather(*(look(data_id) for _, data_id in images))
        model_id = self._analyser.model_id

        def work(rows: Rows) -> None:
            for (image_id, _), features in zip(images, looks, strict=True):
                if features is not None:
                    rows.add_vector(database_id, image_id, model_id, features)

        await self._store.write(work)
        return [data_id for (_, data_id), features in zip(images, looks, strict=True) if features is None]

    def _switch(self, rows: Rows, database: DatabaseKey) -> DatabaseState | None:
        """Search the new vectors. Returns the state before, or None if an image was added meanwhile that has none."""
        state, model_id = rows.state(database), self._analyser.model_id
        if rows.without_vector(state.id, model_id, 0, 1):
            return None
        if state.model_id != model_id:
            rows.set_model(state.id, model_id)
            # The curve was fitted to the old model's cosines.
            rows.set_calibration(state.id, None)
        return state

    async def _drop_old(self, database_id: int) -> None:
        model_id = self._analyser.model_id
        while await self._store.write(lambda rows: rows.drop_other_vectors(database_id, model_id, DELETED_AT_ONCE)):
            pass
