"""CodedBlock finds exactly what a full scan in half precision finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.embedded.retrieval import vector_blocks
from bot.adapters.embedded.retrieval.half_rows import Bytes, Slots
from bot.adapters.embedded.retrieval.vector_blocks import CodedBlock, Floats, HalfBlock

Numbers = npt.NDArray[np.float64]


def halves(rows: Numbers | Floats) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(rows, "<f2").view(np.uint8).reshape(len(rows), -1)


def unit(rows: Numbers) -> Numbers:
    scaled: Numbers = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return scaled


def assert_same(rows: Numbers, queries: Numbers, count: int, removed: list[int], parts: int = 1) -> None:
    """Assert that both blocks find the same, whatever was removed, and in however many parts the rows came."""
    dimensions = rows.shape[1]
    half, coded = HalfBlock(dimensions, len(rows)), CodedBlock(dimensions, len(rows))
    for part in np.array_split(rows, parts):
        if len(part):
            half.append(halves(part))
            coded.append(halves(part))
    positions = np.array(sorted({place % len(rows) for place in removed}), np.int64)[: len(rows) - 1]
    if len(positions):
        half.discard(positions)
        coded.discard(positions)
    left = len(rows) - len(positions)
    asked = queries.astype(np.float32)
    expected, places = half.nearest(asked, min(count, left))
    found, found_places = coded.nearest(asked, min(count, left))
    # The same function computes both, so the cosines are equal to the last bit.
    assert np.array_equal(found, expected)
    for view in range(len(asked)):
        # Of rows that are equally far, the last ones may differ.
        above = expected[view] > expected[view, -1]
        assert found_places[view, above].tolist() == places[view, above].tolist()
    assert np.array_equal(coded.rows(found_places[0]), half.rows(found_places[0]))
    assert np.array_equal(coded.halves(), half.halves())


@st.composite
def hostile(draw: st.DrawFn) -> Numbers:
    """Return rows of which many are equal, zero, of extreme numbers, or as in no other row."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dimensions, number = draw(st.sampled_from([1, 3, 16, 40])), draw(st.integers(1, 200))
    centres = rng.standard_normal((draw(st.integers(1, 4)), dimensions))
    rows = centres[rng.integers(0, len(centres), number)]
    rows += draw(st.sampled_from([0, 1e-4, 0.01, 1])) * rng.standard_normal(rows.shape)
    if draw(st.booleans()):
        rows = np.abs(rows)
    rows = unit(rows)
    for place in draw(st.lists(st.integers(0, number - 1), max_size=5)):
        rows[place] = draw(st.sampled_from([0.0, 1e-7, 1.0, -1.0, 30.0, -30.0]))
    return rows


@settings(max_examples=300)
@given(hostile(), st.integers(1, 60), st.lists(st.integers(0, 300), max_size=20), st.integers(1, 3), st.data())
def test_finds_what_a_full_scan_finds(
    rows: Numbers, count: int, removed: list[int], parts: int, data: st.DataObject
) -> None:
    near = rows[data.draw(st.integers(0, len(rows) - 1))]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    noise = data.draw(st.sampled_from([0.0, 0.01, 1.0]))
    queries = np.stack([near + noise * rng.standard_normal(rows.shape[1]), rng.standard_normal(rows.shape[1])])
    assert_same(rows, queries, count, removed, parts)


@pytest.mark.parametrize("has_signs", [True, False])
def test_rows_that_codes_cannot_tell_apart_are_all_compared(monkeypatch: pytest.MonkeyPatch, has_signs: bool) -> None:
    # The bound alone says how many rows more than the wanted ones are compared.
    monkeypatch.setattr(vector_blocks, "MORE_CANDIDATES", 0)
    monkeypatch.setattr(vector_blocks, "SCANNED", 0)
    rng = np.random.default_rng(7)
    centre = rng.standard_normal(64)
    rows = unit((centre if has_signs else np.abs(centre)) + 0.01 * rng.standard_normal((3000, 64)))
    rows = rows if has_signs else np.abs(rows)
    assert_same(rows, rows[:2] + 0.001, 25, [])


def test_few_rows_are_read_from_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows = unit(np.abs(rng.standard_normal((6000, 256))))
    block = CodedBlock(256, len(rows))
    block.append(halves(rows))
    read = block._file.read
    looked_at: list[int] = []

    def counted(slots: Slots) -> Bytes:
        looked_at.append(len(slots))
        return read(slots)

    monkeypatch.setattr(block._file, "read", counted)
    block.nearest((rows[:1] + 0.01).astype(np.float32), 10)
    assert sum(looked_at) < len(rows) / 4


def test_memory_is_half_of_half_precision() -> None:
    assert CodedBlock.row_bytes(1280) < 0.51 * HalfBlock.row_bytes(1280)


def test_file_is_closed_and_leaves_nothing(tmp_path: Path) -> None:
    block = CodedBlock(4, 10, tmp_path)
    block.append(halves(np.eye(4)))
    file = block._file._file
    del block
    assert file.closed
    assert list(tmp_path.iterdir()) == []
