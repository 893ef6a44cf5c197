"""Search through the port, embedding excluded, against the fastest exact library called bare."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from bench import specimens, synthetic
from bench.peers import ENGINE, Peer, peers
from bench.report import Row
from bench.synthetic import KEY, Filled, Floats
from bench.timing import Call, in_turns, medians
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import CalibrationCurve, Candidate, ImageFeatures, QueryFeatures, ScoredMatch, Verifier
from bot.adapters.embedded.scoring import similarity_score
from bot.adapters.embedded.verifier import GeometricVerifier
from bot.domain.matches import Verdict
from bot.domain.pictures import Picture
from bot.images.features import fingerprint
from bot.images.features.local_features import Pixels, QueryRegion
from bot.storage.sql_storage import SqlStorage

SIZES = (1_000, 10_000, 50_000)
LARGE = 500_000
LARGE_VARIABLE = "VSEARCH_BENCH_LARGE"
BAR_SIZE, BAR = 50_000, 1.25
LIMIT = 10
_MEMORY = 4_000_000_000

KINDS = {
    "retrieval": "retrieval",
    "no copy": "with a close look, no copy in it",
    "a copy": "with a close look, a copy in it",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A picture that was looked at already: its vector, its fingerprints, and what its sketch is made of."""

    pixels: Pixels
    embedding: Floats
    fingerprints: Pixels

    def probe(self) -> QueryFeatures:
        """As the analyser gives it: the sketch is not made yet, the judge does that when it wants one."""
        region = QueryRegion(self.pixels, fingerprint.luminance(self.pixels), range(len(self.fingerprints)))
        return QueryFeatures(self.embedding, self.fingerprints, (region,))


@dataclass(slots=True)
class PrecomputedQuery:
    """An analyser whose work is done: embedding costs nothing."""

    model_id: str
    dimensions: int
    ready: QueryFeatures | None = None

    async def extract(self, picture: Picture) -> ImageFeatures:
        """Never asked."""
        raise NotImplementedError

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        """The one that is ready."""
        del picture
        assert self.ready
        return self.ready

    async def close(self) -> None:
        """Nothing to let go of."""


class SimilarityOnlyVerifier:
    """A judge that looks at nothing: what is left is retrieval."""

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        """The score of the cosine."""
        del query_features, calibration
        return [ScoredMatch(similarity_score(candidate.cosine), Verdict.SIMILAR) for candidate in candidates]


async def run() -> list[Row]:
    """Retrieval alone at every size, and with the close look at candidates where rows have sketches."""
    sizes = (*SIZES, LARGE) if os.environ.get(LARGE_VARIABLE) else SIZES
    if LARGE not in sizes:
        print(f"search: {LARGE:,} images are measured with {LARGE_VARIABLE}=1 (2 minutes, 3 GB of disk, 8 of memory)")
    return [row for size in sizes for row in await _measure(size)]


async def _measure(size: int) -> list[Row]:
    whole = size != LARGE
    data = await asyncio.to_thread(lambda: synthetic.filled(size, sketched=whole))
    stranger, copy = _unrelated_query(data), _copy(data)
    found = peers(data.vectors, stranger.embedding, LIMIT)
    bare = medians(await in_turns({peer.name: peer.call for peer in found}, rounds=9 if whole else 5))
    _tell(size, found, bare)
    # Two go on: the noise of a shared machine may have chosen the wrong one.
    rivals = sorted((peer for peer in found if peer.as_stored), key=lambda peer: bare[peer.name])[:2]
    rivals = list({peer.name: peer for peer in (*rivals, *found) if peer.name == ENGINE or peer in rivals}.values())
    del found  # their copies of the vectors are not ours to carry
    async with _engine(data, SimilarityOnlyVerifier()) as retrieving, _engine(data, GeometricVerifier()) as judging:
        calls: dict[str, Call] = {peer.name: peer.call for peer in rivals}
        calls["retrieval"] = lambda: retrieving(stranger)
        if whole:
            calls["no copy"] = lambda: judging(stranger)
            calls["a copy"] = lambda: judging(copy)
        taken = medians(await in_turns(calls, rounds=40 if whole else 12))
    fastest = min((peer.name for peer in rivals), key=lambda name: taken[name])
    return list(_rows(size, fastest, taken))


def _tell(size: int, found: Sequence[Peer], bare: Mapping[str, float]) -> None:
    listed = ", ".join(f"{peer.name} {bare[peer.name]:.2f}" for peer in found)
    print(f"search: {size:,} images, called bare, ms: {listed}")


def _rows(size: int, fastest: str, taken: Mapping[str, float]) -> Iterator[Row]:
    for name, what in KINDS.items():
        if name in taken:
            limit = BAR if size == BAR_SIZE and name != "a copy" else None
            yield Row(f"search {size:,}, {what}", taken[name], "ms", taken[fastest], fastest, limit)
    if fastest != ENGINE:
        yield Row(f"search {size:,}, retrieval", taken["retrieval"], "ms", taken[ENGINE], ENGINE)


def _unrelated_query(data: Filled) -> Query:
    """A query that resembles a cluster and is a copy of nothing: every candidate is looked at in vain."""
    pixels = specimens.query().pixels
    return Query(pixels, synthetic.query_near(data.vectors, 7), fingerprint.orientations(fingerprint.luminance(pixels)))


def _copy(data: Filled) -> Query:
    """A query whose picture is in the database."""
    row_id = len(specimens.sketches())
    pixels = specimens.read(specimens.specimens()[synthetic.sketched_by(row_id)]).pixels
    marks = fingerprint.orientations(fingerprint.luminance(pixels)).copy()
    marks[:1] = data.fingerprints[row_id - 1]
    return Query(pixels, data.vectors[row_id - 1 : row_id].astype(np.float32), marks)


@asynccontextmanager
async def _engine(data: Filled, verifier: Verifier) -> AsyncIterator[Callable[[Query], Awaitable[object]]]:
    """What searches through the port."""
    storage = await SqlStorage.open(data.data_dir)
    extractor = PrecomputedQuery(synthetic.model().model_id, data.vectors.shape[1])
    engine = EmbeddedSearch(storage.vectors, extractor, verifier, index_memory_bytes=_MEMORY)
    picture = specimens.query()

    async def search(query: Query) -> object:
        extractor.ready = query.probe()
        return await engine.search(KEY, picture, LIMIT)

    try:
        yield search
    finally:
        await storage.close()
