"""Pending points become the point features that the picture would have had at once."""

from __future__ import annotations

import numpy as np
import pytest

from bot.images.features import fingerprint, pending_points
from bot.images.features.point_features import Pixels, extract_point_features, unpack
from tests.fixtures.scenes import scene


def test_completed_points_are_those_computed_at_once() -> None:
    whole = np.asarray(scene(3))
    for pixels in (whole, whole[:, :120]):
        gray = fingerprint.luminance(np.ascontiguousarray(pixels))
        assert pending_points.complete(pending_points.pack(gray)) == extract_point_features(gray).pack()


@pytest.mark.parametrize("data", [b"", b"\x01\x02\x03\x04", b"\xff\xff\xff\xffnot as long as its size"])
def test_damaged_pending_points_become_none(data: bytes) -> None:
    assert len(unpack(pending_points.complete(data)).points) == 0


@pytest.mark.parametrize(
    "gray", [np.zeros((1, 9), np.uint8), np.zeros((3000, 2), np.uint8), np.zeros((50, 50), np.uint8)]
)
def test_pictures_without_points_are_completed_too(gray: Pixels) -> None:
    assert len(unpack(pending_points.complete(pending_points.pack(gray))).points) == 0
