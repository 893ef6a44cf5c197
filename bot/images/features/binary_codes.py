"""Matching of binary codes, such as ORB descriptors, by Lowe's ratio test (2004)."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]
Distances = npt.NDArray[np.int32]

_TAKEN = np.int32(np.iinfo(np.int32).max)


def match_codes(query: Codes, stored: Codes, ratio: float, most: int | None = None) -> tuple[Rows, Rows, Distances]:
    """Return the query rows that match, the stored row nearest to each, and their Hamming distances.

    A row matches if its nearest stored code is nearer than ``ratio`` times the second nearest, and no farther than
    ``most`` bits. ``stored`` has at least two codes; both have codes of one length.
    """
    distances = _distances(query, stored)
    nearest = distances.argmin(axis=1)
    rows = np.arange(len(query))
    least = distances[rows, nearest]
    if most is not None:
        # Few points of unrelated pictures are this near, so that the second nearest is sought for few.
        rows = np.flatnonzero(least <= most)
        nearest, least, distances = nearest[rows], least[rows], distances[rows]
    distances[np.arange(len(rows)), nearest] = _TAKEN
    kept = np.flatnonzero(least < ratio * distances.min(axis=1))
    return rows[kept], nearest[kept], least[kept]


def _distances(query: Codes, stored: Codes) -> Distances:
    """Return the distance of each pair. ``faiss.knn_hamming`` takes three times as long, for its heaps."""
    query, stored = np.ascontiguousarray(query, np.uint8), np.ascontiguousarray(stored, np.uint8)
    if query.shape[1] != stored.shape[1]:
        raise ValueError("the codes differ in length")
    found = np.empty((len(query), len(stored)), np.int32)
    faiss.hammings(  # type: ignore[attr-defined]  # the stubs lack it
        faiss.swig_ptr(query), faiss.swig_ptr(stored), len(query), len(stored), query.shape[1], faiss.swig_ptr(found)
    )
    return found
