"""The calibrations of databases: read, fit and store them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from threading import Lock

import numpy as np
from cachetools import TTLCache

from bot.adapters.embedded.calibration import curves
from bot.adapters.embedded.calibration.curves import Floats
from bot.adapters.embedded.calibration.stored import ManualCurve, OwnPairs, dump, parse
from bot.adapters.embedded.ports import CalibrationCurve
from bot.adapters.embedded.store import DatabaseState, VectorRows, VectorStore, state_for_model
from bot.domain.catalogue import ScoreFit
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId

_SIZE_CACHE, _SIZE_CACHE_TTL_S = 1000, 60.0


class Calibrator:
    """Reads, fits and stores the calibrations of databases. ``dimensions`` is the length of the model's embeddings."""

    def __init__(self, store: VectorStore, model_id: str, dimensions: int) -> None:
        self._store = store
        self._model_id = model_id
        self._dimensions = dimensions
        self._sizes: TTLCache[int, int] = TTLCache(_SIZE_CACHE, _SIZE_CACHE_TTL_S)
        self._lock = Lock()

    async def manual_curve(self, database: DatabaseKey) -> CalibrationCurve | None:
        """Return the curve that an operator fitted, or None if the default or the database's own pairs apply."""
        stored = parse(await self._store.read(lambda rows: rows.state(database).calibration))
        return stored.curve if isinstance(stored, ManualCurve) else None

    async def current_curve(self, database: DatabaseKey) -> CalibrationCurve:
        """Return the curve that searches use now."""
        return await self._store.read(lambda rows: self.curve_of(rows, rows.state(database)))

    def curve_of(self, rows: VectorRows, state: DatabaseState) -> CalibrationCurve:
        """Return the curve for a database in this state. Its number of images may be a minute old. Thread-safe."""
        with self._lock:
            images = self._sizes.get(state.id)
        if images is None:
            # Counting takes as long as a small search, so it isn't done in each.
            images = rows.count_vectors(state.id, self._model_id)
            with self._lock:
                self._sizes[state.id] = images
        return curves.curve_for(parse(state.calibration), images, self._model_id)

    async def set_manual_curve(self, database: DatabaseKey, curve: CalibrationCurve | None) -> None:
        """Set the database's curve by hand. None restores the default until the database has doubled."""

        def work(rows: VectorRows) -> None:
            state = rows.state(database)
            images = rows.count_vectors(state.id, self._model_id)
            rows.set_calibration(state.id, dump(OwnPairs(images) if curve is None else ManualCurve(curve)))

        await self._store.write(work)

    async def calibrate_if_due(self, database: DatabaseKey) -> int | None:
        """Calibrate a database by its own pairs, if it has doubled since. Returns its images, or None.

        Raises ModelMismatch.
        """

        def state_of(rows: VectorRows) -> tuple[str | None, int]:
            state = state_for_model(rows, database, self._model_id)
            return state.calibration, rows.count_vectors(state.id, self._model_id)

        before, images = await self._store.snapshot(state_of)
        if not curves.is_due(parse(before), images):
            return None
        entities, embeddings = await self.sample(database)
        measured = await asyncio.to_thread(curves.measure, entities, embeddings, images)

        def work(rows: VectorRows) -> int | None:
            state = state_for_model(rows, database, self._model_id)
            if state.calibration != before:
                return None
            rows.set_calibration(state.id, dump(measured))
            return images

        return await self._store.write(work)

    async def score_fits(self, workspace: WorkspaceId) -> Mapping[DatabaseName, ScoreFit]:
        """Return which of the workspace's databases have fitted scores."""
        stored = await self._store.read(lambda rows: rows.calibrations())
        return {key.name: fit for key, text in stored if key.workspace == workspace and (fit := curves.fit_of(text))}

    async def sample(
        self, database: DatabaseKey, size: int = curves.SAMPLE_SIZE, seed: int = 0
    ) -> tuple[tuple[str, ...], Floats]:
        """Return keys of entities and embeddings of up to ``size`` random images. Raises ModelMismatch.

        The embeddings are n × dimensions, float32. The same ``seed`` gives the same choice.
        """

        def work(rows: VectorRows) -> tuple[tuple[str, ...], Floats]:
            state = state_for_model(rows, database, self._model_id)
            ids = np.array(rows.vector_ids(state.id, self._model_id), np.int64)
            chosen = np.random.default_rng(seed).permutation(ids)[:size]
            pairs = list(rows.embeddings(sorted(chosen.tolist())))
            matrix = np.frombuffer(b"".join(embedding for _, embedding in pairs), "<f2").reshape(-1, self._dimensions)
            return tuple(key for key, _ in pairs), matrix.astype(np.float32)

        return await self._store.snapshot(work)
