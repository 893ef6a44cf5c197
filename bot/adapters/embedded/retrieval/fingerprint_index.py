"""An in-memory index of fingerprints, searched by Hamming distance with faiss."""

from __future__ import annotations

from collections.abc import Iterable

import faiss
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.ports import FINGERPRINT_RADIUS

Ids = npt.NDArray[np.int64]

FINGERPRINT_BYTES = 32


class FingerprintIndex:
    """The fingerprints of rows, by row id. Not thread-safe."""

    def __init__(self) -> None:
        self._index = faiss.IndexBinaryFlat(8 * FINGERPRINT_BYTES)
        self._ids: Ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Return the number of rows that have a fingerprint."""
        return len(self._ids)

    def append(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Add rows (row id, fingerprint) with ascending ids. Rows with an empty fingerprint are left out."""
        # Pictures with too little detail have an empty fingerprint, and must not match each other by it.
        with_fingerprint = [(row, text) for row, text in rows if len(text) == FINGERPRINT_BYTES]
        if with_fingerprint:
            block = np.frombuffer(b"".join(text for _, text in with_fingerprint), np.uint8)
            self._index.add(block.reshape(len(with_fingerprint), FINGERPRINT_BYTES))
            self._ids = np.concatenate([self._ids, [row for row, _ in with_fingerprint]])

    def discard(self, row_ids: Ids) -> None:
        """Remove rows by id."""
        positions = np.flatnonzero(np.isin(self._ids, row_ids, assume_unique=True))
        if len(positions):
            self._index.remove_ids(faiss.IDSelectorBatch(positions))
            self._ids = np.delete(self._ids, positions)

    def within_radius(self, fingerprints: npt.NDArray[np.uint8], count: int) -> tuple[Ids, Ids, Ids]:
        """Return the ``count`` nearest rows within FINGERPRINT_RADIUS of any of ``fingerprints`` (n × 32).

        The three arrays hold row ids, distances in bits, and for each row the nearest row of ``fingerprints``.
        They are sorted by distance, nearest first.
        """
        none = np.empty(0, np.int64)
        if not len(self._ids) or not len(fingerprints):
            return none, none, none
        # faiss excludes the radius itself.
        limits, distances, positions = self._index.range_search(fingerprints, FINGERPRINT_RADIUS + 1)
        if not len(positions):
            return none, none, none
        query_rows = np.repeat(np.arange(len(fingerprints)), np.diff(limits.astype(np.int64)))
        row_ids = self._ids[positions]
        order = np.lexsort((query_rows, row_ids, distances))
        # Keep the nearest hit of each row, which comes first in this order.
        firsts = np.sort(np.unique(row_ids[order], return_index=True)[1])[:count]
        chosen = order[firsts]
        return row_ids[chosen], distances[chosen].astype(np.int64), query_rows[chosen]
