"""An in-memory index: the vectors and fingerprints of a database in segments, built on faiss."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.retrieval.fingerprint_index import FINGERPRINT_BYTES, FingerprintIndex, Ids
from bot.adapters.embedded.store import VectorRow
from bot.domain.errors import BackendDown

Floats = npt.NDArray[np.float32]

SEGMENT_BYTES = 32 * 2**20
"""Size of the embeddings in a full segment."""

ROW_ID_BYTES = 8
MIN_CAPACITY = 64
"""Rows for which a segment has room at least."""


def segment_rows(dimensions: int) -> int:
    """Return the number of rows in a full segment."""
    return max(MIN_CAPACITY, SEGMENT_BYTES // (2 * dimensions))


def memory_for(dimensions: int, rows: int) -> int:
    """Return the size in bytes of an index right after it was loaded with ``rows`` rows."""
    return (_capacity_for(rows) + MIN_CAPACITY) * _row_bytes(dimensions)


def _row_bytes(dimensions: int) -> int:
    # Fingerprints count twice, because faiss doubles their buffer when it is full. Each of the two indexes stores ids.
    return 2 * dimensions + 2 * FINGERPRINT_BYTES + 2 * ROW_ID_BYTES


def _capacity_for(rows: int) -> int:
    # Reserve some room, so that the first add after a load doesn't copy the whole segment.
    return rows + rows // 16 + MIN_CAPACITY


class Segment:
    """Rows in one block of memory with a fixed capacity. Not thread-safe."""

    def __init__(self, dimensions: int, capacity: int) -> None:
        self.dimensions = dimensions
        self.capacity = capacity
        # Half precision halves memory and time, and changes a cosine by less than 0.001.
        self._vectors = faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        # Allocate the room for all rows now. faiss would otherwise double its buffer, to up to twice the need.
        self._vectors.codes.resize(capacity * 2 * dimensions)
        self._vectors.codes.resize(0)
        self._fingerprints = FingerprintIndex()
        self.ids: Ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ids)

    def append(self, rows: Sequence[VectorRow]) -> None:
        """Add rows with ascending ids. They must fit. Raises BackendDown for an embedding of the wrong length."""
        codes = np.frombuffer(b"".join(row[1] for row in rows), np.uint8)
        if len(codes) != len(rows) * 2 * self.dimensions:
            raise BackendDown(f"a stored embedding does not have {self.dimensions} dimensions")
        # faiss stores the same format, float16 little-endian, so the bytes need no conversion.
        self._vectors.add_sa_codes(codes.reshape(len(rows), -1))
        self._fingerprints.append((row[0], row[2]) for row in rows)
        self.ids = np.concatenate([self.ids, np.array([row[0] for row in rows], np.int64)])

    def absorb(self, other: Segment) -> None:
        """Move all rows of ``other``, a smaller segment, into this empty one. Don't use ``other`` afterwards."""
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
        """Remove all rows but keep the memory."""
        self._vectors.reset()
        self._fingerprints.clear()
        self.ids = np.empty(0, np.int64)

    def nearest(self, embeddings: Floats, count: int) -> tuple[Floats, Ids]:
        """Return the greatest cosines and their row ids, both views × up to ``count``."""
        cosines, positions = self._vectors.search(embeddings, min(count, len(self)))
        return cosines, self.ids[positions]

    def within_radius(self, fingerprints: npt.NDArray[np.uint8], count: int) -> tuple[Ids, Ids, Ids]:
        """Return what ``FingerprintIndex.within_radius`` returns."""
        return self._fingerprints.within_radius(fingerprints, count)

    def cosines(self, embeddings: Floats, row_ids: Ids) -> Floats:
        """Return the greatest cosine over the views for each of ``row_ids``, which must all be in the segment."""
        rows = self._vectors.reconstruct_batch(np.searchsorted(self.ids, row_ids))
        best: Floats = np.max(rows @ embeddings.T, axis=1)
        return best


class VectorIndex:
    """All rows of a database, in segments. Not thread-safe.

    ``expected_rows`` sizes the first segments, so that a load doesn't have to grow them.
    """

    def __init__(self, dimensions: int, expected_rows: int = 0) -> None:
        self._dimensions = dimensions
        self._expected = _capacity_for(expected_rows)
        self.segments: list[Segment] = []

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(len(segment) for segment in self.segments)

    @property
    def memory(self) -> int:
        """The size in bytes, including reserved room."""
        return sum(segment.capacity for segment in self.segments) * _row_bytes(self._dimensions)

    def memory_with(self, rows: int) -> int:
        """Return an upper bound of ``memory`` after ``rows`` more rows."""
        last = self.segments[-1] if self.segments else None
        if last and rows <= last.capacity - len(last):
            return self.memory
        # The last segment is doubled until it has its full size. Then a new one is added.
        doubled = (last.capacity if last else self._expected) + rows + MIN_CAPACITY
        return self.memory + (rows + min(segment_rows(self._dimensions), doubled)) * _row_bytes(self._dimensions)

    @property
    def is_sparse(self) -> bool:
        """Whether so many rows were removed that a reload would halve the memory."""
        return self.memory > 2 * memory_for(self._dimensions, len(self))

    def append(self, rows: Sequence[VectorRow]) -> None:
        """Add rows with ascending ids, all greater than the ids in the index."""
        start = 0
        while start < len(rows):
            segment = self._open_segment()
            batch = rows[start : start + segment.capacity - len(segment)]
            segment.append(batch)
            start += len(batch)

    def discard_missing(self, present: Sequence[int]) -> None:
        """Remove all rows whose ids are not in ``present``."""
        self._expected = 0
        known = np.array(present, np.int64)
        for segment in self.segments:
            segment.discard(np.setdiff1d(segment.ids, known, assume_unique=True))
        self.segments = [segment for segment in self.segments if len(segment)]

    def _open_segment(self) -> Segment:
        """Return a segment with room: the last one, a larger copy of it, or a new one."""
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
