"""An index of a database: its vectors and fingerprints in segments, built on faiss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.retrieval.fingerprint_index import FINGERPRINT_BYTES, FingerprintIndex, Ids
from bot.adapters.embedded.retrieval.vector_blocks import CodedBlock, HalfBlock, VectorBlock
from bot.adapters.embedded.store import VectorRow
from bot.domain.errors import BackendDown

Floats = npt.NDArray[np.float32]

SEGMENT_BYTES = 64 * 2**20
"""Size of the embeddings in a full segment, in half precision."""

CODED_BYTES = 8 * 2**20
"""Size of the same in a segment from which on it has codes in memory, and the embeddings in a file. Smaller ones are
searched in a millisecond, and there can be many: each file is an open one."""

ROW_ID_BYTES = 8
MIN_CAPACITY = 64
"""Rows for which a segment has room at least."""


def segment_rows(dimensions: int) -> int:
    """Return the number of rows in a full segment."""
    return max(MIN_CAPACITY, SEGMENT_BYTES // (2 * dimensions))


def memory_for(dimensions: int, rows: int) -> int:
    """Return the greatest size in bytes of an index right after it was loaded with ``rows`` rows."""
    full = segment_rows(dimensions)
    segments, rest = divmod(_capacity_for(rows), full)
    sizes = [full] * segments + [rest, MIN_CAPACITY]
    return sum(size * _row_bytes(dimensions, size) for size in sizes)


def _is_coded(dimensions: int, capacity: int) -> bool:
    return HalfBlock.row_bytes(dimensions) * capacity >= CODED_BYTES


def _row_bytes(dimensions: int, capacity: int) -> int:
    """Return the memory of a row in a segment with this capacity."""
    kind = CodedBlock if _is_coded(dimensions, capacity) else HalfBlock
    # Fingerprints count twice, because faiss doubles their buffer when it is full. Each of the two indexes stores ids.
    return kind.row_bytes(dimensions) + 2 * FINGERPRINT_BYTES + 2 * ROW_ID_BYTES


def _capacity_for(rows: int) -> int:
    # Reserve some room, so that the first add after a load doesn't copy the whole segment.
    return rows + rows // 16 + MIN_CAPACITY


class Segment:
    """Rows with a fixed capacity. Not thread-safe, but for searches.

    A large one keeps its embeddings in a temporary file in ``folder``, unless ``in_memory``.
    """

    def __init__(self, dimensions: int, capacity: int, folder: Path | None = None, *, in_memory: bool = False) -> None:
        self.dimensions = dimensions
        self.capacity = capacity
        is_coded = _is_coded(dimensions, capacity) and not in_memory
        self._vectors: VectorBlock = (
            CodedBlock(dimensions, capacity, folder) if is_coded else HalfBlock(dimensions, capacity)
        )
        self._fingerprints = FingerprintIndex()
        self.ids: Ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ids)

    @property
    def memory(self) -> int:
        """The size in bytes, including reserved room."""
        return self.capacity * _row_bytes(self.dimensions, self.capacity)

    def append(self, rows: Sequence[VectorRow]) -> None:
        """Add rows with ascending ids. They must fit.

        Raises BackendDown for an embedding of the wrong length, and OSError if a file can't be written.
        """
        halves = np.frombuffer(b"".join(row[1] for row in rows), np.uint8)
        if len(halves) != len(rows) * 2 * self.dimensions:
            raise BackendDown(f"a stored embedding does not have {self.dimensions} dimensions")
        self._vectors.append(halves.reshape(len(rows), -1))
        self._fingerprints.append((row[0], row[2]) for row in rows)
        self.ids = np.concatenate([self.ids, np.array([row[0] for row in rows], np.int64)])

    def absorb(self, other: Segment) -> None:
        """Move all rows of ``other``, a smaller segment, into this empty one. Don't use ``other`` afterwards."""
        self._vectors.append(other._vectors.halves())
        self._fingerprints = other._fingerprints
        self.ids = other.ids

    def discard(self, row_ids: Ids) -> None:
        """Remove rows by id."""
        positions = np.flatnonzero(np.isin(self.ids, row_ids, assume_unique=True))
        if not len(positions):
            return
        self._vectors.discard(positions)
        self.ids = np.delete(self.ids, positions)
        self._fingerprints.discard(row_ids)

    def nearest(self, embeddings: Floats, count: int) -> tuple[Floats, Ids]:
        """Return the greatest cosines and their row ids, both views × up to ``count``. Raises OSError."""
        cosines, positions = self._vectors.nearest(embeddings, min(count, len(self)))
        return cosines, self.ids[positions]

    def within_radius(self, fingerprints: npt.NDArray[np.uint8], count: int) -> tuple[Ids, Ids, Ids]:
        """Return what ``FingerprintIndex.within_radius`` returns."""
        return self._fingerprints.within_radius(fingerprints, count)

    def cosines(self, embeddings: Floats, row_ids: Ids) -> Floats:
        """Return the greatest cosine over the views for each of ``row_ids``, which must all be in the segment."""
        rows = self._vectors.rows(np.searchsorted(self.ids, row_ids))
        best: Floats = np.max(rows @ embeddings.T, axis=1)
        return best


class VectorIndex:
    """All rows of a database, in segments. Not thread-safe, but for searches.

    ``expected_rows`` sizes the first segments, so that a load doesn't have to grow them. ``folder`` is for the files of
    large ones.
    """

    def __init__(self, dimensions: int, expected_rows: int = 0, folder: Path | None = None) -> None:
        self._dimensions = dimensions
        self._folder = folder
        self._expected = _capacity_for(expected_rows)
        self.segments: list[Segment] = []

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(len(segment) for segment in self.segments)

    @property
    def memory(self) -> int:
        """The size in bytes, including reserved room."""
        return sum(segment.memory for segment in self.segments)

    def memory_with(self, rows: int) -> int:
        """Return an upper bound of ``memory`` after ``rows`` more rows."""
        last = self.segments[-1] if self.segments else None
        if last and rows <= last.capacity - len(last):
            return self.memory
        # The last segment is doubled until it has its full size. Then a new one is added.
        doubled = (last.capacity if last else self._expected) + rows + MIN_CAPACITY
        added = rows + min(segment_rows(self._dimensions), doubled)
        return self.memory + added * _row_bytes(self._dimensions, 0)

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
            self.segments.append(Segment(self._dimensions, min(full, max(wanted, MIN_CAPACITY)), self._folder))
        else:
            larger = Segment(self._dimensions, min(full, 2 * last.capacity), self._folder)
            larger.absorb(last)
            self.segments[-1] = larger
        return self.segments[-1]
