"""Measure the CPU time of each stage of a search, from the bytes of a picture to its ranked matches."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from bench.samples import pictures
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import BuiltInModel, EmbeddingModel, Pixels, Vectors
from bot.adapters.embedded.ports import CalibrationCurve, Candidate, QueryFeatures, ScoredMatch, Verifier
from bot.adapters.embedded.retrieval.index_cache import IndexCache
from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery, Neighbours
from bot.adapters.embedded.store import DatabaseState, VectorRows
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.app.services import Services
from bot.domain.identifiers import DatabaseKey

STAGES = ("decode", "embed", "features", "retrieval", "verification", "rest")
MEMORY = 2**30


class StageClock:
    """Adds up the CPU time of all threads, by stage. Nothing else may run in the process meanwhile."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the CPU time of the block to a stage, in milliseconds."""
        started = time.process_time()
        try:
            yield
        finally:
            self.spent[name] += (time.process_time() - started) * 1000


class _TimedModel:
    def __init__(self, model: EmbeddingModel, clock: StageClock) -> None:
        self._model, self._clock = model, clock
        self.model_id, self.dimensions = model.model_id, model.dimensions

    def prepare(self, pixels: Pixels) -> npt.NDArray[Any]:
        with self._clock.stage("embed"):
            return self._model.prepare(pixels)

    def run(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        with self._clock.stage("embed"):
            return self._model.run(prepared)


class _TimedNeighbours:
    def __init__(self, cache: IndexCache, clock: StageClock) -> None:
        self._cache, self._clock = cache, clock
        self.is_known, self.forget = cache.is_known, cache.forget

    @property
    def memory(self) -> int:
        return self._cache.memory

    def search(self, rows: VectorRows, key: DatabaseKey, query: NeighbourQuery) -> tuple[DatabaseState, Neighbours]:
        with self._clock.stage("retrieval"):
            return self._cache.search(rows, key, query)


class _TimedVerifier:
    def __init__(self, verifier: Verifier, clock: StageClock) -> None:
        self._verifier, self._clock = verifier, clock

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        with self._clock.stage("verification"):
            return self._verifier.verify(query_features, candidates, calibration)


async def measure(services: Services, files: Sequence[Path]) -> dict[str, float]:
    """Return the median CPU-milliseconds of each stage, searching with each of the files in turn."""
    clock = StageClock()
    taken: dict[str, list[float]] = defaultdict(list)
    async with _engine(services, clock) as search:
        for number, path in enumerate(files):
            clock.spent.clear()
            await search(path.read_bytes())
            if number:  # the first search loads the index
                for stage in STAGES:
                    taken[stage].append(clock.spent[stage])
    return {stage: statistics.median(times) for stage, times in taken.items()}


@asynccontextmanager
async def _engine(services: Services, clock: StageClock) -> AsyncIterator[Callable[[bytes], Any]]:
    """Yield a function that decodes and searches, stage by stage. What no stage covers is the rest."""
    extractor = PictureFeatureExtractor(_TimedModel(BuiltInModel(), clock), 1)
    cache = IndexCache(extractor.model_id, extractor.dimensions, MEMORY)
    engine = EmbeddedSearch(
        services.storage.vectors,
        extractor,
        _TimedVerifier(GeometricVerifier(), clock),
        neighbours=_TimedNeighbours(cache, clock),
    )

    async def search(content: bytes) -> None:
        with clock.stage("decode"):
            picture = await services.normaliser.picture(content)
        with clock.stage("extraction"):
            await extractor.extract_query(picture)
        clock.spent["features"] = clock.spent["extraction"] - clock.spent["embed"]
        # Again as part of a whole search, whose extraction was just measured.
        before = dict(clock.spent)
        with clock.stage("whole"):
            await engine.search(pictures.DATABASE, picture)
        again = clock.spent["embed"] - before["embed"]
        clock.spent["embed"] = before["embed"]
        covered = before["features"] + again + clock.spent["retrieval"] + clock.spent["verification"]
        clock.spent["rest"] = max(0.0, clock.spent["whole"] - covered)

    try:
        yield search
    finally:
        await extractor.close()
