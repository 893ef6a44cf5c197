"""Geometric alignment: crops, rotations and mirror images are found, unrelated pictures are not."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from bot.adapters.embedded.verification import scoring
from bot.images.features import geometry, warping
from bot.images.features.comparison import colours
from bot.images.features.fingerprint import ORIENTATION_MATRICES, luminance
from bot.images.features.geometry import Alignment
from bot.images.features.local_features import LocalFeatures, extract_local_features, unpack
from bot.images.features.query_views import QueryView
from tests.fixtures.scenes import SIZE, scene

Matrix = npt.NDArray[np.float64]

WIDTH, HEIGHT = SIZE
IDENTITY = np.eye(2)


def view(image: Image.Image) -> QueryView:
    pixels = np.ascontiguousarray(np.asarray(image, np.uint8))
    return QueryView(pixels, luminance(pixels))


def stored(image: Image.Image) -> LocalFeatures:
    pixels = np.ascontiguousarray(np.asarray(image, np.uint8))
    return unpack(extract_local_features(pixels, luminance(pixels)).pack())


def aligned(query: Image.Image, reference: Image.Image) -> Alignment:
    found = geometry.align(view(query), stored(reference))
    assert found is not None
    return found


def probability(found: Alignment | None) -> float:
    if found is None:
        return 0.0
    return scoring.copy_probability(found.correlation, found.typical, found.inliers, found.matched)


def degrees(found: Alignment) -> float:
    return math.degrees(math.atan2(found.matrix[1, 0], found.matrix[0, 0]))


def scale(found: Alignment) -> float:
    return math.sqrt(abs(float(np.linalg.det(found.matrix[:, :2]))))


@pytest.mark.parametrize("seed", range(3))
def test_picture_aligns_with_itself(seed: int) -> None:
    found = aligned(scene(seed), scene(seed))
    np.testing.assert_allclose(found.matrix, [[1, 0, 0], [0, 1, 0]], atol=0.003)
    assert found.covered == pytest.approx(1, abs=0.01)
    assert found.outside == pytest.approx(0, abs=0.01)
    assert found.correlation > 0.99
    assert found.worst < 0.1
    assert probability(found) > 0.9


@pytest.mark.parametrize(
    "box", [(0, 0, 400, 300), (100, 60, 480, 360), (60, 90, 360, 315), (20, 20, 300, 230)], ids=str
)
def test_crop_is_aligned_with_its_place(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    found = aligned(scene(1).crop(box), scene(1))
    share = (right - left) * (bottom - top) / (WIDTH * HEIGHT)
    assert found.covered == pytest.approx(share, abs=0.03)
    assert found.outside == pytest.approx(0, abs=0.02)
    assert scale(found) == pytest.approx((right - left) / WIDTH, abs=0.01)
    np.testing.assert_allclose(found.matrix[:, 2] * WIDTH, (left, top), atol=5)
    assert degrees(found) == pytest.approx(0, abs=0.7)


def test_frame_is_outside() -> None:
    framed = Image.new("RGB", (WIDTH + 120, HEIGHT + 120), (90, 20, 120))
    framed.paste(scene(1), (60, 60))
    found = aligned(framed, scene(1))
    assert found.covered == pytest.approx(1, abs=0.02)
    assert found.outside == pytest.approx(1 - WIDTH * HEIGHT / (framed.width * framed.height), abs=0.03)


@pytest.mark.parametrize("angle", [-20, -5, 3, 30, 90, 135, 180])
def test_rotation_is_measured(angle: int) -> None:
    found = aligned(scene(2).rotate(angle, Image.Resampling.BICUBIC, expand=True), scene(2))
    apart = abs(degrees(found)) - abs(angle)
    assert apart == pytest.approx(0, abs=1)
    assert found.covered == pytest.approx(1, abs=0.02)
    assert probability(found) > 0.5


def test_scale_and_rotation_are_measured_together() -> None:
    edited = scene(3).rotate(15, Image.Resampling.BICUBIC).resize((300, 225))
    found = aligned(edited, scene(3))
    assert scale(found) == pytest.approx(1, abs=0.02)
    assert abs(degrees(found)) == pytest.approx(15, abs=1)


def test_mirror_image_aligns_only_with_the_mirrored_view() -> None:
    query = view(scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert probability(geometry.align(query, stored(scene(1)))) < 0.5
    found = geometry.align(query.mirrored, stored(scene(1)))
    assert probability(found) > 0.9


@pytest.mark.parametrize("row", range(8))
def test_overlay_undoes_the_orientation_of_a_fingerprint(row: int) -> None:
    """Each row of ``orientations`` is a transformed query. Overlaid with its matrix, it agrees with the picture."""
    transposed = row >= 4
    query = scene(1).transpose(Image.Transpose.TRANSPOSE) if transposed else scene(1)
    # The inverse of "transpose, then mirror" is "mirror the other way, then transpose".
    across, down = (row % 4 in (2, 3), row % 4 in (1, 3)) if transposed else (row % 4 in (1, 3), row % 4 in (2, 3))
    if across:
        query = query.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if down:
        query = query.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    found = geometry.overlay(view(query), stored(scene(1)), np.array(ORIENTATION_MATRICES[row], np.float64))
    assert found is not None
    assert found.correlation > 0.98
    assert found.covered == pytest.approx(1, abs=1e-3)
    assert found.outside == pytest.approx(0, abs=1e-3)


def test_overlay_of_another_picture_does_not_agree() -> None:
    found = geometry.overlay(view(scene(1)), stored(scene(2)), IDENTITY)
    assert found is not None
    assert found.correlation < 0.6


def test_unrelated_pictures_are_never_copies() -> None:
    views, stored_features = [view(scene(seed)) for seed in range(6)], [stored(scene(seed)) for seed in range(6)]
    for number, query in enumerate(views):
        for other, reference in enumerate(stored_features):
            if other != number:
                assert probability(geometry.align(query, reference)) < 0.1


def label(side: int) -> Image.Image:
    """Draw a label: an emblem and two lines of text."""
    image = Image.new("RGB", (side, side), (250, 250, 245))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=side // 6)
    draw.ellipse((side * 0.1, side * 0.05, side * 0.9, side * 0.5), fill=(200, 30, 40))
    draw.rectangle((side * 0.3, side * 0.15, side * 0.7, side * 0.4), fill=(255, 220, 0))
    draw.text((side * 0.1, side * 0.55), "Acme Tea", fill=(20, 20, 80), font=font)
    draw.text((side * 0.1, side * 0.75), "250 g", fill=(20, 20, 80), font=font)
    return image


@pytest.mark.parametrize("side", [90, 130, 170])
@pytest.mark.parametrize("second", [(180, 90), (100, 60)], ids=["elsewhere", "same place"])
def test_pictures_with_the_same_label_are_no_copies(side: int, second: tuple[int, int]) -> None:
    for seed in range(3):
        one, other = scene(10 + seed).copy(), scene(20 + seed).copy()
        one.paste(label(side), (100, 60))
        other.paste(label(side), second)
        found = geometry.align(view(one), stored(other))
        assert probability(found) < scoring.PROOF


def test_small_overlap_gives_no_agreement() -> None:
    away = np.array(((1.0, 0.0, 0.97), (0.0, 1.0, 0.0)))
    found = geometry._measure(view(scene(1)), stored(scene(1)), away, 20, 20)
    assert found is not None
    assert (found.correlation, found.typical, found.worst) == (-1.0, math.inf, math.inf)
    assert probability(found) == 0.0


@pytest.mark.parametrize("factor", [0.0, 1e-3, float("nan")])
def test_degenerate_transform_gives_none(factor: float) -> None:
    matrix = np.array(((factor, 0.0, 0.0), (0.0, factor, 0.0)))
    assert geometry._measure(view(scene(1)), stored(scene(1)), matrix, 20, 20) is None


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_pictures_do_not_align(value: int) -> None:
    flat = Image.new("RGB", SIZE, (value, value, value))
    for query, reference in ((flat, flat), (flat, scene(1)), (scene(1), flat)):
        assert geometry.align(view(query), stored(reference)) is None
        overlaid = geometry.overlay(view(query), stored(reference), IDENTITY)
        assert overlaid is not None
        assert abs(overlaid.correlation) < 0.1
        assert math.isfinite(overlaid.worst)


def recoloured(image: Image.Image) -> Image.Image:
    return Image.merge("RGB", image.split()[::-1])


def brightened(image: Image.Image) -> Image.Image:
    return image.point([min(255, value + 40) for value in range(256)] * 3)


@pytest.mark.parametrize(("edit", "chroma", "brightness"), [(recoloured, True, False), (brightened, False, True)])
def test_colours_are_compared(edit: Callable[[Image.Image], Image.Image], chroma: bool, brightness: bool) -> None:
    def difference(query: Image.Image) -> tuple[float, float]:
        matrix = aligned(query, scene(1)).matrix
        return colours.chroma_and_brightness(*colours.overlapping_colours(view(query), stored(scene(1)), matrix))

    plain, edited = difference(scene(1)), difference(edit(scene(1)))
    assert max(plain) < 2
    assert (edited[0] > plain[0] + 8) is chroma
    assert (edited[1] > plain[1] + 15) is brightness


@given(
    st.floats(0, 2 * math.pi),
    st.floats(0.05, 4),
    st.floats(-1.5, 1.5),
    st.floats(-1.5, 1.5),
    st.sampled_from([(480, 360), (360, 480), (400, 400), (1000, 10)]),
)
@settings(max_examples=60, deadline=None)
def test_coverage_matches_counted_points(
    angle: float, size: float, x: float, y: float, reference: tuple[int, int]
) -> None:
    """Compare with counting points on a grid."""
    turn = size * np.array(((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))))
    matrix = np.column_stack((turn, (x, y)))
    other = _blank(*reference)
    covered, outside = warping.coverage(_blank(480, 360), other, matrix)

    width, height = (length / max(other.width, other.height) for length in (other.width, other.height))
    grid = np.stack(np.meshgrid((np.arange(200) + 0.5) / 200 * width, (np.arange(200) + 0.5) / 200 * height), -1)
    back = cv2.transform(grid.astype(np.float64), np.column_stack((np.linalg.inv(turn), -np.linalg.inv(turn) @ (x, y))))
    shown = float(((back >= 0) & (back <= (1, 0.75))).all(axis=2).mean())
    assert covered == pytest.approx(shown, abs=0.02)
    assert outside == pytest.approx(1 - covered * width * height / (0.75 * size * size), abs=1e-4)


def test_coverage_with_almost_coinciding_edges() -> None:
    for shift in np.random.default_rng(0).uniform(-1e-4, 1e-4, (50, 6)):
        matrix: Matrix = np.array(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))) + shift.reshape(2, 3)
        covered, outside = warping.coverage(_blank(480, 360), _blank(480, 360), matrix)
        assert covered == pytest.approx(1, abs=1e-3)
        assert outside == pytest.approx(0, abs=1e-3)


def _blank(width: int, height: int) -> LocalFeatures:
    pixels = np.zeros((height, width, 3), np.uint8)
    return extract_local_features(pixels, luminance(pixels))
