"""VectorIndex compared with a search in plain NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.embedded.ports import FINGERPRINT_RADIUS
from bot.adapters.embedded.retrieval import index as module
from bot.adapters.embedded.retrieval.index import Segment, VectorIndex, memory_for
from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery, Neighbours, search_segments
from bot.adapters.embedded.store import VectorRow
from bot.domain.errors import BackendDown

DIMENSIONS = 16


def rows_of(ids: list[int], seed: int = 0, fingerprints: bool = True) -> list[VectorRow]:
    rows = []
    for row_id in ids:
        rng = np.random.default_rng([seed, row_id])
        vector = rng.standard_normal(DIMENSIONS).astype(np.float32)
        vector /= np.linalg.norm(vector)
        # Every fifth row has no fingerprint, like a picture with too little detail.
        text = rng.bytes(32) if fingerprints and row_id % 5 else b""
        rows.append((row_id, vector.astype("<f2").tobytes(), text))
    return rows


def query_of(rows: list[VectorRow], count: int, noise: float = 0.3, flipped: int = 20) -> NeighbourQuery:
    """Return a query with two embeddings and two fingerprints near the first two rows."""
    rng = np.random.default_rng(1)
    views, prints = [], []
    for _, embedding, text in rows[:2]:
        view = np.frombuffer(embedding, "<f2").astype(np.float32) + noise * rng.standard_normal(DIMENSIONS)
        views.append(view / np.linalg.norm(view))
        bits = np.unpackbits(np.frombuffer(text or bytes(32), np.uint8))
        bits[:flipped] ^= 1
        prints.append(np.packbits(bits))
    return NeighbourQuery(np.array(views, np.float32), np.array(prints, np.uint8), count)


def expected_neighbours(
    rows: list[VectorRow], query: NeighbourQuery
) -> tuple[dict[int, float], dict[int, tuple[int, int]]]:
    cosines: dict[int, float] = {}
    near: dict[int, tuple[int, int]] = {}
    for row_id, embedding, text in rows:
        vector = np.frombuffer(embedding, "<f2").astype(np.float32)
        cosines[row_id] = float(np.max(query.embeddings @ vector))
        if text:
            bits = np.unpackbits(np.frombuffer(text, np.uint8))
            distances = [int((np.unpackbits(row) != bits).sum()) for row in query.fingerprints]
            if min(distances) <= FINGERPRINT_RADIUS:
                near[row_id] = min((distance, row) for row, distance in enumerate(distances))
    return cosines, near


def assert_correct(found: Neighbours, rows: list[VectorRow], query: NeighbourQuery) -> None:
    cosines, near = expected_neighbours(rows, query)
    best = sorted(cosines.values(), reverse=True)[: query.count]
    assert list(found.cosines.values()) == pytest.approx(best, abs=1e-5)
    assert all(found.cosines[row_id] == pytest.approx(cosines[row_id], abs=1e-5) for row_id in found.cosines)
    closest = sorted(near, key=lambda row_id: (near[row_id][0], row_id))[: query.count]
    assert list(found.fingerprint_hits) == closest
    for row_id, seen in found.fingerprint_hits.items():
        assert (seen.distance, seen.query_row) == near[row_id]
        assert seen.cosine == pytest.approx(cosines[row_id], abs=1e-5)


@pytest.fixture(autouse=True, scope="module", params=["in memory", "by codes"])
def small_segments(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(module, "SEGMENT_BYTES", 100 * 2 * DIMENSIONS)
        # Segments of 80 rows and more.
        patches.setattr(module, "CODED_BYTES", 80 * 2 * DIMENSIONS if request.param == "by codes" else 2**30)
        yield


@pytest.mark.parametrize("count", [1, 10, 100, 1000])
def test_finds_the_nearest_by_cosine_and_by_fingerprint(count: int) -> None:
    rows = rows_of(list(range(1, 351)))
    index = VectorIndex(DIMENSIONS)
    index.append(rows)
    assert len(index.segments) == 4
    query = query_of(rows, count)
    assert_correct(search_segments(index.segments, query), rows, query)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 9)), min_size=1, max_size=6), st.integers(0, 300), st.data()
)
def test_appends_and_removals_in_any_order(steps: list[tuple[int, int]], expected: int, data: st.DataObject) -> None:
    index = VectorIndex(DIMENSIONS, expected)
    held: list[VectorRow] = []
    last = 0
    for added, kept_of_ten in steps:
        new = rows_of(list(range(last + 1, last + 1 + added)))
        last += added + 3
        bound = index.memory_with(len(new))
        index.append(new)
        assert index.memory <= bound
        held += new
        if kept_of_ten:
            held = [row for row in held if data.draw(st.integers(0, 9)) < kept_of_ten]
            index.discard_missing([row[0] for row in held])
        assert len(index) == len(held)
    query = query_of(held or rows_of([1]), 12)
    assert_correct(search_segments(index.segments, query), held, query)


def test_load_stays_within_the_estimate() -> None:
    for count in (0, 1, 63, 64, 65, 99, 100, 101, 250, 1000):
        index = VectorIndex(DIMENSIONS, count)
        index.append(rows_of(list(range(1, count + 1))))
        assert index.memory <= memory_for(DIMENSIONS, count)


def test_rows_without_a_fingerprint_are_never_hits() -> None:
    rows = rows_of(list(range(1, 40)), fingerprints=False)
    index = VectorIndex(DIMENSIONS)
    index.append(rows)
    query = NeighbourQuery(query_of(rows, 10).embeddings, np.zeros((1, 32), np.uint8), 10)
    assert search_segments(index.segments, query).fingerprint_hits == {}


def test_query_without_a_fingerprint_finds_by_cosine_only() -> None:
    rows = rows_of(list(range(1, 40)))
    index = VectorIndex(DIMENSIONS)
    index.append(rows)
    found = search_segments(
        index.segments, NeighbourQuery(query_of(rows, 5).embeddings, np.empty((0, 32), np.uint8), 5)
    )
    assert len(found.cosines) == 5
    assert found.fingerprint_hits == {}


@pytest.mark.parametrize(
    ("distance", "is_found"), [(0, True), (FINGERPRINT_RADIUS, True), (FINGERPRINT_RADIUS + 1, False)]
)
def test_fingerprint_radius_is_inclusive(distance: int, is_found: bool) -> None:
    row = rows_of([1])
    index = VectorIndex(DIMENSIONS)
    index.append(row)
    query = query_of(row * 2, 5, flipped=distance)
    seen = search_segments(index.segments, query).fingerprint_hits
    assert [found.distance for found in seen.values()] == ([distance] if distance <= FINGERPRINT_RADIUS else [])


def test_empty_index_finds_nothing() -> None:
    index = VectorIndex(DIMENSIONS)
    assert search_segments(index.segments, query_of(rows_of([1, 2]), 5)) == Neighbours()
    assert index.memory == 0


def test_index_is_sparse_after_most_rows_are_removed() -> None:
    rows = rows_of(list(range(1, 1001)))
    index = VectorIndex(DIMENSIONS, len(rows))
    index.append(rows)
    assert not index.is_sparse
    index.discard_missing([row[0] for row in rows if row[0] % 50 == 0])
    assert index.is_sparse


def test_embedding_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(BackendDown, match="16 dimensions"):
        Segment(DIMENSIONS, 10).append([(1, b"abc", b"")])


def test_half_precision_changes_cosines_by_less_than_the_limit() -> None:
    rng = np.random.default_rng(3)
    wide: npt.NDArray[np.float32] = rng.standard_normal((200, 1280)).astype(np.float32)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    segment = Segment(1280, 200)
    segment.append([(row + 1, vector.astype("<f2").tobytes(), b"") for row, vector in enumerate(wide)])
    cosines, ids = segment.nearest(wide[:1], 200)
    exact = wide @ wide[0]
    assert ids[0, 0] == 1
    assert np.abs(cosines[0] - exact[ids[0] - 1]).max() < 0.001
