"""Matching of binary codes gives what a search for the two nearest codes gives."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from bot.images.features.binary_codes import match_codes


@pytest.mark.parametrize("most", [None, 80])
@pytest.mark.parametrize("seed", range(8))
def test_matches_are_those_of_the_two_nearest_codes(seed: int, most: int | None) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 256, (int(rng.integers(2, 300)), 32), np.uint8)
    noise = np.packbits(rng.random((400, 256)) < rng.choice((0.0, 0.1, 0.25, 0.5), (400, 1)), axis=1)
    query = stored[rng.integers(0, len(stored), 400)] ^ noise
    stored = np.concatenate((stored, stored[:3]))  # doubles are as near as what they double, and match nothing

    rows, nearest, distances = match_codes(query, stored, 0.85, most)

    two, found = faiss.knn_hamming(query, stored, 2)
    expected = np.flatnonzero((two[:, 0] < 0.85 * two[:, 1]) & (two[:, 0] <= (256 if most is None else most)))
    assert rows.tolist() == expected.tolist()
    assert nearest.tolist() == found[expected, 0].tolist()
    assert distances.tolist() == two[expected, 0].tolist()
    assert 0 < len(rows) < len(query)


def test_no_row_matches_if_none_is_near() -> None:
    query, stored = np.zeros((9, 32), np.uint8), np.full((9, 32), 255, np.uint8)

    rows, nearest, distances = match_codes(query, stored, 0.85, 80)

    assert len(rows) == len(nearest) == len(distances) == 0


def test_codes_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        match_codes(np.zeros((9, 32), np.uint8), np.zeros((9, 16), np.uint8), 0.85)
