"""Exact nearest neighbours, by cosine and by fingerprint, over rows in memory. The arithmetic is faiss's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial

import faiss
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.ports import FINGERPRINT_RADIUS
from bot.adapters.embedded.store import VectorRow
from bot.domain.errors import BackendDown

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

SEGMENT_BYTES = 32 * 2**20
FINGERPRINT_BYTES = 32
ROW_ID_BYTES = 8
MIN_CAPACITY = 64


@dataclass(frozen=True, slots=True)
class FingerprintHit:
    """A row that the fingerprints found: how far it is, from which row of the query's, and its cosine."""

    distance: int
    query_row: int
    cosine: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Rows by cosine, greatest first, and those within reach by fingerprint, nearest first."""

    cosines: dict[int, float] = field(default_factory=dict)
    fingerprint_hits: dict[int, FingerprintHit] = field(default_factory=dict)


def segment_rows(dimensions: int) -> int:
    """Rows of a full segment."""
    return max(MIN_CAPACITY, SEGMENT_BYTES // (2 * dimensions))


def memory_for(dimensions: int, rows: int) -> int:
    """Memory of an index that was loaded with so many rows."""
    return (_capacity_for(rows) + MIN_CAPACITY) * _row_bytes(dimensions)


def _row_bytes(dimensions: int) -> int:
    # Fingerprints count twice, since faiss lets their memory grow by doubling.
    return 2 * dimensions + 2 * FINGERPRINT_BYTES + 2 * ROW_ID_BYTES


def _capacity_for(rows: int) -> int:
    # A little room, so that the first add after a load does not move everything.
    return rows + rows // 16 + MIN_CAPACITY


class FingerprintIndex:
    """Fingerprints of rows. Not for two threads at once."""

    def __init__(self) -> None:
        self._index = faiss.IndexBinaryFlat(8 * FINGERPRINT_BYTES)
        self._ids: Ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Rows that have one."""
        return len(self._ids)

    def append(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Add rows of ascending ids."""
        # Pictures without detail have none, and must not all match each other by an empty one.
        held = [(row, text) for row, text in rows if len(text) == FINGERPRINT_BYTES]
        if held:
            block = np.frombuffer(b"".join(text for _, text in held), np.uint8)
            self._index.add(block.reshape(len(held), FINGERPRINT_BYTES))
            self._ids = np.concatenate([self._ids, [row for row, _ in held]])

    def discard(self, row_ids: Ids) -> None:
        """Remove rows by id."""
        marks = np.flatnonzero(np.isin(self._ids, row_ids, assume_unique=True))
        if len(marks):
            self._index.remove_ids(faiss.IDSelectorBatch(marks))
            self._ids = np.delete(self._ids, marks)

    def clear(self) -> None:
        """Hold nothing, and keep the memory."""
        self._index.reset()
        self._ids = np.empty(0, np.int64)

    def within_radius(self, fingerprints: npt.NDArray[np.uint8], count: int) -> tuple[Ids, Ids, Ids]:
        """The ``count`` nearest rows within reach: row ids, distances and rows of the query, nearest first."""
        none = np.empty(0, np.int64)
        if not len(self._ids) or not len(fingerprints):
            return none, none, none
        # faiss takes the radius as the first distance that is too far.
        limits, distances, positions = self._index.range_search(fingerprints, FINGERPRINT_RADIUS + 1)
        if not len(positions):
            return none, none, none
        query_rows = np.repeat(np.arange(len(fingerprints)), np.diff(limits.astype(np.int64)))
        row_ids = self._ids[positions]
        order = np.lexsort((query_rows, row_ids, distances))
        # Of each row its nearest: the first in this order.
        firsts = np.sort(np.unique(row_ids[order], return_index=True)[1])[:count]
        chosen = order[firsts]
        return row_ids[chosen], distances[chosen].astype(np.int64), query_rows[chosen]


class Segment:
    """Rows in one block of memory, of a fixed capacity. Not for two threads at once."""

    def __init__(self, dimensions: int, capacity: int) -> None:
        self.dimensions = dimensions
        self.capacity = capacity
        # Half precision halves memory and time, and moves a cosine by less than 0.001.
        self._vectors = faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        # Room for all rows at once: faiss would grow by doubling, up to twice what is needed.
        self._vectors.codes.resize(capacity * 2 * dimensions)
        self._vectors.codes.resize(0)
        self._fingerprints = FingerprintIndex()
        self.ids: Ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Rows held."""
        return len(self.ids)

    def append(self, rows: Sequence[VectorRow]) -> None:
        """Add rows of ascending ids; they must fit. Raises BackendDown for an embedding of the wrong length."""
        codes = np.frombuffer(b"".join(row[1] for row in rows), np.uint8)
        if len(codes) != len(rows) * 2 * self.dimensions:
            raise BackendDown(f"A stored embedding does not have {self.dimensions} numbers.")
        # float16, little-endian, is what faiss keeps: no float32 copy is made.
        self._vectors.add_sa_codes(codes.reshape(len(rows), -1))
        self._fingerprints.append((row[0], row[2]) for row in rows)
        self.ids = np.concatenate([self.ids, np.array([row[0] for row in rows], np.int64)])

    def absorb(self, other: Segment) -> None:
        """Take over all rows of a smaller segment, which is of no use then, into this empty one."""
        size = len(other) * 2 * self.dimensions
        codes = faiss.rev_swig_ptr(other._vectors.codes.data(), size).reshape(len(other), -1)
        self._vectors.add_sa_codes(codes)
        self._fingerprints = other._fingerprints
        self.ids = other.ids

    def discard(self, row_ids: Ids) -> None:
        """Remove rows by id."""
        rows = np.flatnonzero(np.isin(self.ids, row_ids, assume_unique=True))
        if not len(rows):
            return
        self._vectors.remove_ids(faiss.IDSelectorBatch(rows))
        self.ids = np.delete(self.ids, rows)
        self._fingerprints.discard(row_ids)

    def clear(self) -> None:
        """Hold nothing, and keep the memory."""
        self._vectors.reset()
        self._fingerprints.clear()
        self.ids = np.empty(0, np.int64)

    def nearest(self, embeddings: Floats, count: int) -> tuple[Floats, Ids]:
        """Cosines and row ids, views × up to ``count``."""
        cosines, positions = self._vectors.search(embeddings, min(count, len(self)))
        return cosines, self.ids[positions]

    def within_radius(self, fingerprints: npt.NDArray[np.uint8], count: int) -> tuple[Ids, Ids, Ids]:
        """What ``FingerprintIndex.within_radius`` gives."""
        return self._fingerprints.within_radius(fingerprints, count)

    def cosines(self, embeddings: Floats, row_ids: Ids) -> Floats:
        """The greatest cosine over the views, a row each; the ids must be held."""
        rows = self._vectors.reconstruct_batch(np.searchsorted(self.ids, row_ids))
        best: Floats = np.max(rows @ embeddings.T, axis=1)
        return best


class VectorIndex:
    """All rows of a database, in segments. Not for two threads at once."""

    def __init__(self, dimensions: int, expected_rows: int = 0) -> None:
        self._dimensions = dimensions
        self._expected = _capacity_for(expected_rows)
        self.segments: list[Segment] = []

    def __len__(self) -> int:
        """Rows held."""
        return sum(len(segment) for segment in self.segments)

    @property
    def memory(self) -> int:
        """Bytes, what is set aside included."""
        return sum(segment.capacity for segment in self.segments) * _row_bytes(self._dimensions)

    def memory_with(self, rows: int) -> int:
        """An upper bound of ``memory`` once so many rows are appended."""
        last = self.segments[-1] if self.segments else None
        if last and rows <= last.capacity - len(last):
            return self.memory
        # The last segment doubles until it is full; then a new one begins.
        doubled = (last.capacity if last else self._expected) + rows + MIN_CAPACITY
        return self.memory + (rows + min(segment_rows(self._dimensions), doubled)) * _row_bytes(self._dimensions)

    @property
    def is_sparse(self) -> bool:
        """Whether so much was discarded that loading it afresh saves memory."""
        return self.memory > 2 * memory_for(self._dimensions, len(self))

    def append(self, rows: Sequence[VectorRow]) -> None:
        """Add rows of ascending ids, beyond those held."""
        start = 0
        while start < len(rows):
            segment = self._open_segment()
            some = rows[start : start + segment.capacity - len(segment)]
            segment.append(some)
            start += len(some)

    def discard_missing(self, kept: Sequence[int]) -> None:
        """Remove what is not among ``kept``."""
        self._expected = 0
        known = np.array(kept, np.int64)
        for segment in self.segments:
            segment.discard(np.setdiff1d(segment.ids, known, assume_unique=True))
        self.segments = [segment for segment in self.segments if len(segment)]

    def _open_segment(self) -> Segment:
        """One with room: the last, a larger copy of it, or a new one."""
        full = segment_rows(self._dimensions)
        last = self.segments[-1] if self.segments else None
        if last and len(last) < last.capacity:
            return last
        wanted = self._expected - sum(segment.capacity for segment in self.segments)
        if last is None or last.capacity >= full:
            self.segments.append(Segment(self._dimensions, min(full, max(wanted, MIN_CAPACITY))))
        else:
            larger = Segment(self._dimensions, min(full, 2 * last.capacity))
            larger.absorb(last)
            self.segments[-1] = larger
        return self.segments[-1]


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourQuery:
    """What is looked for: views × dimensions, fingerprints × 32, and how many rows of each kind."""

    embeddings: Floats
    fingerprints: npt.NDArray[np.uint8]
    count: int


_SegmentResult = tuple[Floats, Ids, dict[int, FingerprintHit]]
"""Of one segment: cosines, their row ids, and what resembles."""


class SearchThreads:
    """Threads that take part in a search; none on a machine with one core."""

    def __init__(self, threads: int) -> None:
        self._count = threads
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="index") if threads else None

    def map(self, search: Callable[[Segment], _SegmentResult], segments: Sequence[Segment]) -> list[_SegmentResult]:
        """``search`` at every segment, in this thread and in those that are free."""
        left = deque(segments)

        def work() -> list[_SegmentResult]:
            results: list[_SegmentResult] = []
            while True:
                try:
                    segment = left.popleft()
                except IndexError:
                    return results
                results.append(search(segment))

        wanted = min(self._count, len(segments) - 1)
        others = [self._threads.submit(work) for _ in range(wanted)] if self._threads else []
        try:
            results = work()
        finally:
            # Whatever happens, nobody looks at a segment any more once its lock is let go.
            running = [other for other in others if not other.cancel()]
            wait(running)
        return results + [found for other in running for found in other.result()]


def search_segments(
    segments: Iterable[Segment], query: NeighbourQuery, helpers: SearchThreads | None = None
) -> Neighbours:
    """The ``count`` rows of greatest cosine over the views, and as many within reach by fingerprint.

    With ``helpers`` the segments are shared out between this thread and theirs; without, ``segments`` may give the
    same block of memory again and again.
    """
    search = partial(_search_segment, query)
    held = (segment for segment in segments if len(segment))
    results = helpers.map(search, list(held)) if helpers else [search(segment) for segment in held]
    if not results:
        return Neighbours()
    cosines = np.concatenate([found[0] for found in results])
    ids = np.concatenate([found[1] for found in results])
    resemblances = {row_id: seen for found in results for row_id, seen in found[2].items()}
    return Neighbours(_top_cosines(cosines, ids, query.count), _nearest_hits(resemblances, query.count))


def _search_segment(query: NeighbourQuery, segment: Segment) -> _SegmentResult:
    # Queries are few: threads of faiss's own would only contend with other searches.
    faiss.omp_set_num_threads(1)
    cosines, ids = segment.nearest(query.embeddings, query.count)
    return cosines.ravel(), ids.ravel(), _fingerprint_hits(segment, query)


def _fingerprint_hits(segment: Segment, query: NeighbourQuery) -> dict[int, FingerprintHit]:
    row_ids, distances, query_rows = segment.within_radius(query.fingerprints, query.count)
    if not len(row_ids):
        return {}
    cosines = segment.cosines(query.embeddings, row_ids)
    evidence = map(FingerprintHit, distances.tolist(), query_rows.tolist(), cosines.tolist())
    return dict(zip(row_ids.tolist(), evidence, strict=True))


def _top_cosines(cosines: Floats, ids: Ids, count: int) -> dict[int, float]:
    order = np.lexsort((ids, -cosines))
    greatest: dict[int, float] = {}
    for row_id, cosine in zip(ids[order].tolist(), cosines[order].tolist(), strict=True):
        if len(greatest) == count:
            break
        # Of a row that several views found, the greatest came first.
        greatest.setdefault(row_id, cosine)
    return greatest


def _nearest_hits(resemblances: dict[int, FingerprintHit], count: int) -> dict[int, FingerprintHit]:
    ranked = sorted(resemblances.items(), key=lambda item: (item[1].distance, item[0]))
    return dict(ranked[:count])
