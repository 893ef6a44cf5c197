"""Measure a search by the engine, without the embedding, against the fastest exact library called directly."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from bench.report import Row
from bench.samples import sample_pictures, synthetic
from bench.samples.prepared_features import PreparedExtractor
from bench.samples.synthetic import KEY, Floats, SyntheticDatabases
from bench.speed.embedding import bare_session
from bench.speed.peers import ENGINE, Peer, peers
from bench.timing import Call, medians, time_alternately
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import CalibrationCurve, Candidate, QueryFeatures, ScoredMatch, Verifier
from bot.adapters.embedded.verification.scoring import similarity_score
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.matches import Verdict
from bot.images.features import fingerprint
from bot.images.features.local_features import Pixels
from bot.images.features.query_views import QueryRegion
from bot.storage.sql_storage import SqlStorage

SIZES = (1_000, 10_000, 50_000)
LARGE = 500_000
LARGE_VARIABLE = "VSEARCH_BENCH_LARGE"
TARGET_SIZES, TARGET = (50_000, LARGE), 0.7
"""The greatest time of retrieval, in bare calls by one thread."""
WHOLE_TARGETS = {"a copy": 2.5, "no copy": 6.0}
"""Greatest times of a whole search, in bare embeddings. Without a copy, points are compared too."""
EMBEDDING = "one bare embedding"
LIMIT = 10
_POOL = ThreadPoolExecutor(2)
"""Stands for the feature extractor's threads."""
_MEMORY = 4_000_000_000

KINDS = {
    "retrieval": "retrieval",
    "no copy": "with verification, no copy stored",
    "a copy": "with verification, a copy stored",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A query picture with its embedding and fingerprints."""

    pixels: Pixels
    embedding: Floats
    fingerprints: Pixels

    def features(self) -> QueryFeatures:
        """Return the query features. The verifier computes local features only when it needs them."""
        gray, rows = fingerprint.luminance(self.pixels), range(len(self.fingerprints))
        region = QueryRegion(self.pixels, gray, rows, pool=_POOL)
        return QueryFeatures(self.embedding, self.fingerprints, (region,))

    def features_without_region(self) -> QueryFeatures:
        """Return features without a region, so that no candidate is compared and only retrieval is measured."""
        return QueryFeatures(self.embedding, self.fingerprints, ())


class SimilarityOnlyVerifier:
    """A verifier that compares no pictures, so that only retrieval is measured."""

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        """Score each candidate by its cosine alone."""
        del query_features, calibration
        return [ScoredMatch(similarity_score(candidate.cosine), Verdict.SIMILAR) for candidate in candidates]


async def run() -> list[Row]:
    """Measure retrieval at every size, and with verification of candidates where rows have local features."""
    sizes = (*SIZES, LARGE) if os.environ.get(LARGE_VARIABLE) else SIZES
    if LARGE not in sizes:
        print(f"search: {LARGE:,} images are measured with {LARGE_VARIABLE}=1 (2 minutes, 3 GB of disk, 8 of memory)")
    return [row for size in sizes for row in await _measure(size)]


async def _measure(size: int) -> list[Row]:
    whole = size != LARGE
    data = await asyncio.to_thread(lambda: synthetic.create_databases(size, with_features=whole))
    unrelated, copy = _unrelated_query(data), _copy(data)
    found = peers(data.vectors, unrelated.embedding, LIMIT)
    bare = medians(await time_alternately({peer.name: peer.call for peer in found}, rounds=9 if whole else 5))
    _print_bare_times(size, found, bare)
    # Measure the two fastest again: on a shared machine, noise may have chosen the wrong one.
    fastest_peers = sorted((peer for peer in found if peer.is_bar), key=lambda peer: bare[peer.name])[:2]
    measured = [*fastest_peers, *(peer for peer in found if peer.name == ENGINE and peer not in fastest_peers)]
    del found  # free the peers' own copies of the vectors
    async with _engine(data, SimilarityOnlyVerifier()) as retrieving, _engine(data, GeometricVerifier()) as verifying:
        calls: dict[str, Call] = {peer.name: peer.call for peer in measured}
        calls["retrieval"] = lambda: retrieving(unrelated)
        if whole:
            calls["no copy"] = lambda: verifying(unrelated)
            calls["a copy"] = lambda: verifying(copy)
            calls[EMBEDDING] = _embedding()
        taken = medians(await time_alternately(calls, rounds=40 if whole else 12))
        # The engine searches on several cores. CPU time says what that costs, and is steadier on a busy machine.
        alone = {name: calls[name] for name in calls if name not in {"no copy", "a copy", EMBEDDING}}
        spent = medians(await time_alternately(alone, rounds=20 if whole else 6, clock=time.process_time))
    fastest = min((peer.name for peer in measured), key=lambda name: taken[name])
    return [*_rows(size, fastest, taken), _cpu(size, fastest, spent)]


def _print_bare_times(size: int, found: Sequence[Peer], bare: Mapping[str, float]) -> None:
    listed = ", ".join(f"{peer.name} {bare[peer.name]:.2f}" for peer in found)
    print(f"search: {size:,} images, called bare, ms: {listed}")


def _rows(size: int, fastest: str, taken: Mapping[str, float]) -> Iterator[Row]:
    for name, what in KINDS.items():
        if name in taken:
            limit = TARGET if size in TARGET_SIZES and name == "retrieval" else None
            yield Row(f"search {size:,}, {what}", taken[name], "ms", taken[fastest], fastest, limit)
    for name, most in WHOLE_TARGETS.items():
        if name in taken:
            whole, limit = taken[name] + taken[EMBEDDING], most if size in TARGET_SIZES else None
            what = f"search {size:,}, embedding included, {KINDS[name].removeprefix('with verification, ')}"
            yield Row(what, whole, "ms", taken[EMBEDDING], EMBEDDING, limit)
    if fastest != ENGINE:
        yield Row(f"search {size:,}, retrieval", taken["retrieval"], "ms", taken[ENGINE], ENGINE)


def _cpu(size: int, fastest: str, spent: Mapping[str, float]) -> Row:
    return Row(f"search {size:,}, retrieval, CPU of all threads", spent["retrieval"], "ms", spent[fastest], fastest)


def _embedding() -> Callable[[], object]:
    session = bare_session()
    tensor = synthetic.model().prepare(sample_pictures.query().pixels)[None]
    return lambda: session.run(None, {"pixels": tensor})


def _unrelated_query(data: SyntheticDatabases) -> Query:
    """Return a query that is near a cluster but a copy of nothing, so that every candidate is verified in vain."""
    pixels = sample_pictures.query().pixels
    return Query(pixels, synthetic.query_near(data.vectors, 7), fingerprint.orientations(fingerprint.luminance(pixels)))


def _copy(data: SyntheticDatabases) -> Query:
    """Return a query whose picture is in the database."""
    row_id = len(sample_pictures.packed_features())
    pixels = sample_pictures.read(sample_pictures.paths()[synthetic.features_index(row_id)]).pixels
    fingerprints = fingerprint.orientations(fingerprint.luminance(pixels)).copy()
    fingerprints[:1] = data.fingerprints[row_id - 1]
    return Query(pixels, data.vectors[row_id - 1 : row_id].astype(np.float32), fingerprints)


@asynccontextmanager
async def _engine(data: SyntheticDatabases, verifier: Verifier) -> AsyncIterator[Callable[[Query], Awaitable[object]]]:
    """Yield a function that searches with the engine."""
    storage = await SqlStorage.open(data.data_dir)
    extractor = PreparedExtractor(synthetic.model().model_id, data.vectors.shape[1])
    engine = EmbeddedSearch(storage.vectors, extractor, verifier, index_memory_bytes=_MEMORY)
    picture = sample_pictures.query()

    async def search(query: Query) -> object:
        only_retrieval = isinstance(verifier, SimilarityOnlyVerifier)
        extractor.query = query.features_without_region() if only_retrieval else query.features()
        return await engine.search(KEY, picture, LIMIT)

    try:
        yield search
    finally:
        await storage.close()
