"""Blocks of embeddings that faiss searches by cosine: in half precision, or by codes of 8 bits with the same result."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.retrieval.half_rows import BYTES_EACH, Bytes, HalfRows, Slots

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

CODES = 256
SIGNED_ZERO = 128
"""The code of zero where codes have a sign."""

MORE_CANDIDATES = 32
"""How many more rows than wanted are looked at in half precision first. Their cosines say which others must be, too."""

SCANNED, MORE_AT_ONCE = 1024, 8
"""Rows whose cosines by code a scan returns, and how many times as many the next one does if they don't suffice. For 32
of 13,000 rows, 100 to 600 suffice. faiss returns 1,024 nearly as fast as 32, but takes ten times as long for all rows
above a threshold."""

HEADROOM = 1.1
"""How far codes reach beyond the numbers of the first rows: clipping costs more than a longer step."""

USUAL_ERROR = 1.05
"""Times the greatest error of the first rows. Rows with greater errors, which must be few, are always compared in half
precision, so that they don't widen the bound of all others."""

MAX_UNUSUAL = 1 / 32
"""Share of the rows above which the bound is widened after all."""

ROWS_AT_ONCE = 256
"""Rows that are coded at a time, so that what is computed stays in the processor's cache."""

ROUNDING = 1e-4
"""Greatest error of sums in single precision, in a cosine. Those of 1,280 products differ by about 0.00001."""

SLOT_BYTES, ERROR_BYTES = 8, 4


class VectorBlock(Protocol):
    """Embeddings of norm 1 in an order that stays. Not thread-safe, but for searches."""

    def append(self, halves: Bytes) -> None:
        """Add rows: n × bytes of float16, little-endian."""
        ...

    def halves(self) -> Bytes:
        """Return all rows as they were added."""
        ...

    def discard(self, positions: Positions) -> None:
        """Remove rows by position."""
        ...

    def nearest(self, embeddings: Floats, count: int) -> tuple[Floats, Positions]:
        """Return the ``count`` greatest cosines and their positions, both views × count. There are that many rows."""
        ...

    def rows(self, positions: Positions) -> Floats:
        """Return rows in single precision."""
        ...


class HalfBlock:
    """Satisfies ``VectorBlock`` with half precision in memory."""

    def __init__(self, dimensions: int, capacity: int) -> None:
        # Half precision halves memory and time, and changes a cosine by less than 0.001.
        self._index = _reserved(dimensions, capacity, faiss.ScalarQuantizer.QT_fp16, BYTES_EACH)
        self._width = BYTES_EACH * dimensions

    @staticmethod
    def row_bytes(dimensions: int) -> int:
        """Return the memory of a row."""
        return BYTES_EACH * dimensions

    def append(self, halves: Bytes) -> None:
        """See the protocol."""
        # faiss stores the same format, so the bytes need no conversion.
        self._index.add_sa_codes(np.ascontiguousarray(halves))

    def halves(self) -> Bytes:
        """See the protocol."""
        codes: Bytes = faiss.rev_swig_ptr(self._index.codes.data(), self._index.ntotal * self._width)
        return codes.reshape(-1, self._width)

    def discard(self, positions: Positions) -> None:
        """See the protocol."""
        self._index.remove_ids(faiss.IDSelectorBatch(positions))

    def nearest(self, embeddings: Floats, count: int) -> tuple[Floats, Positions]:
        """See the protocol."""
        cosines, positions = self._index.search(embeddings, count)
        return cosines, positions

    def rows(self, positions: Positions) -> Floats:
        """See the protocol."""
        found: Floats = self._index.reconstruct_batch(positions)
        return found


class CodedBlock:
    """Satisfies ``VectorBlock`` with codes of 8 bits in memory, and the rows in half precision in a file.

    A scan of the codes reads half as much as one of float16, and faiss multiplies integers: it takes 0.4 times as long.
    The result is the same. Let x and q be a row and a query, x' and q' what their codes stand for. Since
    ``q·x - q'·x' = q·(x - x') + (q - q')·x'``, the error is at most ``|q| |x - x'| + |q - q'| |x'|`` (Cauchy-Schwarz).
    Rows whose cosine by code, plus that error, is below the last of the best cosines cannot be among the best. All
    others are compared in half precision, by the same function as in ``HalfBlock``.
    """

    def __init__(self, dimensions: int, capacity: int, folder: Path | None = None) -> None:
        self._dimensions = dimensions
        self._capacity = capacity
        self._file = HalfRows(dimensions, folder)
        self._slots: Slots = np.empty(0, np.int64)
        self._errors: Floats = np.empty(0, np.float32)
        self._index: faiss.IndexScalarQuantizer | None = None
        self._low = self._step = 0.0
        self._zero = 0
        self._longest = self._limit = 0.0
        self._unusual: Positions = np.empty(0, np.int64)

    @staticmethod
    def row_bytes(dimensions: int) -> int:
        """Return the memory of a row."""
        return dimensions + SLOT_BYTES + ERROR_BYTES

    def append(self, halves: Bytes) -> None:
        """See the protocol. Raises OSError if the file can't be written."""
        if self._index is None:
            self._index = self._begin(_as_floats(halves))
        slots = self._file.append(halves)
        self._slots = np.concatenate([self._slots, slots])
        for start in range(0, len(halves), ROWS_AT_ONCE):
            self._add(_as_floats(halves[start : start + ROWS_AT_ONCE]), self._index)
        self._bound()

    def _add(self, rows: Floats, index: faiss.IndexScalarQuantizer) -> None:
        codes = (rows - self._low) * (1 / self._step)
        np.clip(np.rint(codes, out=codes), 0, CODES - 1, out=codes)
        index.add_sa_codes(codes.astype(np.uint8))
        codes *= self._step
        codes += self._low
        self._longest = max(self._longest, float(_lengths(codes).max()))
        codes -= rows
        self._errors = np.concatenate([self._errors, _lengths(codes)])

    def _bound(self) -> None:
        """Find the rows whose errors are unusual, and the greatest error of all others."""
        if not self._limit:
            self._limit = USUAL_ERROR * float(self._errors.max())
        self._unusual = np.flatnonzero(self._errors > self._limit)
        if len(self._unusual) > MAX_UNUSUAL * len(self._errors):
            self._limit, self._unusual = float(self._errors.max()), np.empty(0, np.int64)

    def halves(self) -> Bytes:
        """See the protocol. Raises OSError."""
        return self._file.read(self._slots)

    def discard(self, positions: Positions) -> None:
        """See the protocol. Their place in the file stays as it is."""
        assert self._index is not None
        self._index.remove_ids(faiss.IDSelectorBatch(positions))
        self._slots, self._errors = np.delete(self._slots, positions), np.delete(self._errors, positions)
        self._unusual = np.flatnonzero(self._errors > self._limit)

    def nearest(self, embeddings: Floats, count: int) -> tuple[Floats, Positions]:
        """See the protocol. Raises OSError."""
        assert self._index is not None
        codes, steps, errors = self._coded(embeddings)
        offsets = steps * codes.sum(axis=1) * (self._low + self._zero * self._step)
        scanned = count + SCANNED
        while True:
            products, positions = self._index.search(codes, min(scanned, len(self._slots)))
            by_code = products * (steps * self._step)[:, None] + offsets[:, None]
            cosines, _ = self._exact(embeddings, np.unique(positions[:, : count + MORE_CANDIDATES]), count)
            # No row below may be among the nearest: the last of these has at least the cosine of the last one here.
            least = cosines[:, -1] - errors
            if len(self._slots) <= scanned or (by_code[:, -1] <= least).all():
                near = np.union1d(positions[by_code >= least[:, None]], self._unusual)
                return self._exact(embeddings, near, count)
            scanned *= MORE_AT_ONCE

    def rows(self, positions: Positions) -> Floats:
        """See the protocol. Raises OSError."""
        return _as_floats(self._file.read(self._slots[positions]))

    def _begin(self, rows: Floats) -> faiss.IndexScalarQuantizer:
        """Return an empty index for codes that cover the range of the first rows, and some more."""
        low, high = HEADROOM * float(rows.min()), HEADROOM * float(rows.max())
        if low >= 0:
            # Activations, as our model's. All codes are for them, instead of half.
            kind, self._zero, self._low = faiss.ScalarQuantizer.QT_8bit_direct, 0, 0.0
        else:
            kind, self._zero, self._low = faiss.ScalarQuantizer.QT_8bit_direct_signed, SIGNED_ZERO, low
        self._step = max(high - self._low, 1e-6) / (CODES - 1)
        return _reserved(self._dimensions, self._capacity, kind, 1)

    def _coded(self, embeddings: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the queries' codes, the steps between these, and the greatest errors of cosines with rows."""
        least, most = (-SIGNED_ZERO, SIGNED_ZERO - 1) if self._zero else (0, CODES - 1)
        steps = np.maximum(np.abs(embeddings).max(axis=1), 1e-6) / most
        codes = np.clip(np.rint(embeddings / steps[:, None]), least, most).astype(np.float32)
        lost = np.linalg.norm(embeddings - codes * steps[:, None], axis=1)
        of_rows = self._limit
        errors = np.linalg.norm(embeddings, axis=1) * of_rows + lost * self._longest + ROUNDING
        return codes, steps.astype(np.float32), errors.astype(np.float32)

    def _exact(self, embeddings: Floats, positions: Positions, count: int) -> tuple[Floats, Positions]:
        """Return the nearest of some rows, compared in half precision."""
        block = HalfBlock(self._dimensions, len(positions))
        block.append(self._file.read(self._slots[positions]))
        cosines, places = block.nearest(embeddings, count)
        return cosines, positions[places]


def _reserved(dimensions: int, capacity: int, kind: int, bytes_each: int) -> faiss.IndexScalarQuantizer:
    """Return an empty index with room for all rows. faiss would otherwise double its buffer, to twice the need."""
    index = faiss.IndexScalarQuantizer(dimensions, kind, faiss.METRIC_INNER_PRODUCT)
    index.codes.resize(capacity * bytes_each * dimensions)
    index.codes.resize(0)
    return index


def _lengths(rows: Floats) -> Floats:
    lengths: Floats = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return lengths


def _as_floats(halves: Bytes) -> Floats:
    return halves.view("<f2").astype(np.float32)
