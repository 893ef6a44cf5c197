"""Exact nearest-neighbour search by cosine and by fingerprint, over the segments of an index."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import faiss
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.retrieval.fingerprint_index import Ids
from bot.adapters.embedded.retrieval.index import Floats, Segment


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourQuery:
    """A nearest-neighbour query.

    ``embeddings`` are views × dimensions, float32, of norm 1. ``fingerprints`` are n × 32, uint8. ``count`` limits the
    rows found by cosine and, separately, those found by fingerprint.
    """

    embeddings: Floats
    fingerprints: npt.NDArray[np.uint8]
    count: int


@dataclass(frozen=True, slots=True)
class FingerprintHit:
    """A row whose fingerprint lies within the Hamming radius.

    ``distance`` is in bits, and ``query_row`` is the row of the query's fingerprints that is nearest. ``cosine`` is the
    greatest one over the query's embeddings.
    """

    distance: int
    query_row: int
    cosine: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The result of a search, by row id: cosines, greatest first, and fingerprint hits, nearest first."""

    cosines: dict[int, float] = field(default_factory=dict)
    fingerprint_hits: dict[int, FingerprintHit] = field(default_factory=dict)

    def without(self, row_ids: Collection[int], count: int) -> Neighbours:
        """Return the best ``count`` of each kind that are not among ``row_ids``."""
        return Neighbours(
            dict(islice(((row, cosine) for row, cosine in self.cosines.items() if row not in row_ids), count)),
            dict(islice(((row, hit) for row, hit in self.fingerprint_hits.items() if row not in row_ids), count)),
        )


_SegmentResult = tuple[Floats, Ids, dict[int, FingerprintHit]]
"""Cosines, their row ids, and the fingerprint hits of one segment."""


class SearchThreads:
    """Threads that search segments in parallel with the calling thread. ``threads`` may be 0."""

    def __init__(self, threads: int) -> None:
        self._count = threads
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="index") if threads else None

    def map(self, search: Callable[[Segment], _SegmentResult], segments: Sequence[Segment]) -> list[_SegmentResult]:
        """Return the results of ``search`` for all segments, computed in this thread and in free ones."""
        pending = deque(segments)

        def work() -> list[_SegmentResult]:
            results: list[_SegmentResult] = []
            while True:
                try:
                    segment = pending.popleft()
                except IndexError:
                    return results
                results.append(search(segment))

        wanted = min(self._count, len(segments) - 1)
        others = [self._threads.submit(work) for _ in range(wanted)] if self._threads else []
        try:
            results = work()
        finally:
            # The caller releases the index's lock after this, so no thread may still read a segment.
            running = [other for other in others if not other.cancel()]
            wait(running)
        return results + [found for other in running for found in other.result()]


def search_segments(
    segments: Iterable[Segment], query: NeighbourQuery, threads: SearchThreads | None = None
) -> Neighbours:
    """Return up to ``query.count`` rows by cosine, and as many fingerprint hits.

    A row's cosine is the greatest over the query's embeddings. With ``threads``, segments are searched in parallel.
    Without, ``segments`` may be an iterator: one is in memory at a time.
    """
    search = partial(_search_segment, query)
    filled = (segment for segment in segments if len(segment))
    results = threads.map(search, list(filled)) if threads else [search(segment) for segment in filled]
    if not results:
        return Neighbours()
    cosines = np.concatenate([found[0] for found in results])
    ids = np.concatenate([found[1] for found in results])
    hits = {row_id: hit for found in results for row_id, hit in found[2].items()}
    return Neighbours(_top_cosines(cosines, ids, query.count), _nearest_hits(hits, query.count))


def _search_segment(query: NeighbourQuery, segment: Segment) -> _SegmentResult:
    # A query has one or two embeddings. More faiss threads would only compete with other searches.
    faiss.omp_set_num_threads(1)
    cosines, ids = segment.nearest(query.embeddings, query.count)
    return cosines.ravel(), ids.ravel(), _fingerprint_hits(segment, query)


def _fingerprint_hits(segment: Segment, query: NeighbourQuery) -> dict[int, FingerprintHit]:
    row_ids, distances, query_rows = segment.within_radius(query.fingerprints, query.count)
    if not len(row_ids):
        return {}
    cosines = segment.cosines(query.embeddings, row_ids)
    hits = map(FingerprintHit, distances.tolist(), query_rows.tolist(), cosines.tolist())
    return dict(zip(row_ids.tolist(), hits, strict=True))


def _top_cosines(cosines: Floats, ids: Ids, count: int) -> dict[int, float]:
    order = np.lexsort((ids, -cosines))
    greatest: dict[int, float] = {}
    for row_id, cosine in zip(ids[order].tolist(), cosines[order].tolist(), strict=True):
        if len(greatest) == count:
            break
        # If several views found a row, its greatest cosine comes first.
        greatest.setdefault(row_id, cosine)
    return greatest


def _nearest_hits(hits: dict[int, FingerprintHit], count: int) -> dict[int, FingerprintHit]:
    ranked = sorted(hits.items(), key=lambda item: (item[1].distance, item[0]))
    return dict(ranked[:count])
