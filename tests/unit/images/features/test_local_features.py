"""Local features: packing, the size limit, and robustness against odd pictures and damaged data."""

from __future__ import annotations

import struct
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.images.features import geometry
from bot.images.features.fingerprint import luminance
from bot.images.features.local_features import STORED_POINTS, LocalFeatures, extract_local_features, unpack
from bot.images.features.query_views import QueryView
from tests.fixtures.scenes import scene

Pixels = npt.NDArray[np.uint8]

LARGEST = 22 * 1024


def extracted(pixels: Pixels, points: int = STORED_POINTS) -> LocalFeatures:
    return extract_local_features(pixels, luminance(pixels), points)


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(480, 360), (360, 480), (1023, 300), (100, 100), (33, 1000)])
def test_packed_features_round_trip(size: tuple[int, int]) -> None:
    one = extracted(np.asarray(scene(1, size)))
    back = unpack(one.pack())
    np.testing.assert_allclose(back.points, one.points, atol=1 / 65535)
    np.testing.assert_array_equal(back.descriptors, one.descriptors)
    np.testing.assert_array_equal(back.thumbnail, one.thumbnail)
    np.testing.assert_array_equal(back.colours, one.colours)
    assert (back.width, back.height) == (one.width, one.height)
    assert back.pack() == one.pack()


def page(seed: int = 0) -> Pixels:
    """Draw lines of small squares on white, as print has."""
    cells = np.where(np.random.default_rng(seed).random((20, 40)) < 0.5, 0, 255).astype(np.uint8)
    sheet = np.full((400, 400), 255, np.uint8)
    sheet[40:360:2, 40:360] = cells.repeat(8, axis=0).repeat(8, axis=1)[:160]
    return np.repeat(sheet[:, :, None], 3, axis=2)


def test_features_of_version_1_have_no_fine_luminance() -> None:
    one = extracted(page())
    old = unpack(replace(one, encoded=b"").pack())
    assert one.encoded
    assert old.fine_luminance() is None
    np.testing.assert_array_equal(old.thumbnail, one.thumbnail)


def test_fine_luminance_is_kept() -> None:
    one = extracted(np.asarray(scene(1, (300, 200))))
    fine = unpack(one.pack()).fine_luminance()
    assert fine is not None
    assert max(fine.shape) in {160, 192, 256}
    reduced = cv2.resize(fine, one.thumbnail.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(int) - one.thumbnail).mean() < 4


def test_damaged_fine_luminance_is_refused_or_missing() -> None:
    packed = extracted(np.asarray(scene(1, (300, 200)))).pack()
    with pytest.raises(ValueError, match="not packed local features"):
        unpack(packed[:-1])
    with pytest.raises(ValueError, match="not packed local features"):
        unpack(packed + b"x")
    one = unpack(packed)
    assert replace(one, encoded=b"no picture").fine_luminance() is None


def test_points_are_in_units_of_the_long_side() -> None:
    one = extracted(np.asarray(scene(1, (400, 200))))
    assert len(one.points) == STORED_POINTS
    assert one.points.min() > 0
    assert one.points[:, 0].max() < 1
    assert one.points[:, 1].max() < 0.5


def test_points_are_spread_over_the_picture() -> None:
    """A corner full of sharp edges gets only its share of the points."""
    pixels = np.asarray(scene(1)).copy()
    pixels[:90, :120] = noise(30, 23).repeat(4, axis=0).repeat(4, axis=1)[:90]
    points = extracted(pixels).points
    cells = np.floor(points * (4, 4 / 0.75)).astype(int)
    counts = np.bincount(cells[:, 1] * 4 + cells[:, 0], minlength=16)
    assert (counts > 0).sum() >= 14
    assert counts[0] < len(points) / 3


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_picture_has_no_points(value: int) -> None:
    one = unpack(extracted(np.full((300, 400, 3), value, np.uint8)).pack())
    assert one.points.shape == (0, 2)
    assert one.descriptors.shape == (0, 32)


@given(st.integers(1, 1023), st.integers(1, 40), st.booleans(), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_local_features_fit_22_kilobytes_at_any_size(long: int, short: int, upright: bool, seed: int) -> None:
    pixels = noise(short, long, seed) if upright else noise(long, short, seed)
    packed = extracted(pixels).pack()
    assert len(packed) <= LARGEST
    assert unpack(packed).pack() == packed


@pytest.mark.parametrize("size", [(1, 1), (8, 3), (3, 8), (1, 1023), (1023, 1), (1023, 26), (600, 20), (2, 2)])
def test_odd_pictures_can_be_compared(size: tuple[int, int]) -> None:
    odd, ordinary = noise(*size), np.asarray(scene(1))
    for query, stored in ((odd, odd), (odd, ordinary), (ordinary, odd)):
        found = geometry.align(QueryView(query, luminance(query)), unpack(extracted(stored).pack()))
        assert found is None or np.isfinite(found.matrix).all()


def test_largest_local_features_fit() -> None:
    one = extracted(noise(512, 512))
    assert len(one.points) == STORED_POINTS
    assert one.thumbnail.shape == (64, 64)
    assert len(one.pack()) <= LARGEST


@given(st.binary(max_size=2000))
@settings(max_examples=150, deadline=None)
def test_garbage_raises_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not packed local features"):
        unpack(data)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_local_features_are_refused_or_valid(data: st.DataObject) -> None:
    whole = _packed()
    if data.draw(st.booleans(), label="cut"):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))] + data.draw(st.binary(max_size=3))
    else:
        at = data.draw(st.integers(0, 12))
        damaged = whole[:at] + data.draw(st.binary(min_size=1, max_size=8)) + whole[at:]
        damaged = damaged[: len(whole)]
    try:
        one = unpack(damaged)
    except ValueError:
        return
    assert one.pack()[:8] == damaged[:8]


@pytest.mark.parametrize(
    "header",
    [(0, 300, 64, 48, 0), (400, 0, 64, 48, 0), (400, 300, 0, 64, 0), (400, 300, 64, 0, 0), (400, 300, 255, 64, 0)],
)
def test_empty_local_features_are_refused(header: tuple[int, int, int, int, int]) -> None:
    """The lengths are consistent, but the numbers are invalid."""
    data = struct.pack("<HHBBH", *header) + bytes(header[2] * header[3] + 16 * 16 * 3)
    with pytest.raises(ValueError, match="not packed local features"):
        unpack(data)


def _packed() -> bytes:
    return extracted(np.asarray(scene(1))).pack()
