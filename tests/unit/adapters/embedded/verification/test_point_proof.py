"""Point features prove copies that ORB points miss, and no pictures of other content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from bench.samples.edits import COMBINED
from bot.adapters.embedded.ports import Candidate, QueryFeatures, ScoredMatch
from bot.adapters.embedded.verification import copy_evidence, scoring
from bot.adapters.embedded.verification.item_evidence import rank_by_items
from bot.adapters.embedded.verification.point_proof import agrees_but_for_texture, agrees_in_structure
from bot.domain.identifiers import EntityId
from bot.domain.matches import Edit, Verdict
from bot.images.features import fingerprint
from bot.images.features.comparison.fine_print import FineComparison
from bot.images.features.geometry import Alignment, align_by
from bot.images.features.homography import compare_views
from bot.images.features.local_features import extract_local_features
from bot.images.features.point_features import extract_point_features, mirrored
from bot.images.features.query_views import QueryRegion
from tests.fixtures.scenes import scene

Pixels = npt.NDArray[np.uint8]


def pixels_of(seed: int) -> Pixels:
    return np.asarray(scene(seed), np.uint8)


def ranked(query: Pixels, stored: Pixels) -> ScoredMatch:
    gray, kept = fingerprint.luminance(query), fingerprint.luminance(stored)
    region = QueryRegion(query, gray, range(0))
    features = QueryFeatures(np.zeros((1, 1), np.float32), np.empty((0, 32), np.uint8), (region,))
    candidate = Candidate(1, 0.8, local_features=extract_local_features(stored, kept).pack())
    before = ScoredMatch(6.0, Verdict.SIMILAR)
    packed = {1: extract_point_features(kept).pack()}
    (found,) = rank_by_items(features, [candidate], [before], packed, {1: EntityId("item")})
    return found


def test_a_mirrored_picture_has_the_same_points_without_another_detection() -> None:
    gray = fingerprint.luminance(pixels_of(3))
    turned = mirrored(extract_point_features(gray))
    detected = extract_point_features(np.ascontiguousarray(gray[:, ::-1]))
    agreement = compare_views(turned, detected)
    assert agreement is not None
    assert agreement.inliers >= 0.8 * len(detected.points)
    assert np.allclose(agreement.matrix / agreement.matrix[2, 2], np.eye(3), atol=2)


def test_a_mirrored_crop_is_proved_by_its_points() -> None:
    pixels = pixels_of(3)
    height, width = pixels.shape[:2]
    crop = np.ascontiguousarray(pixels[height // 10 :, : width * 9 // 10][:, ::-1])
    found = ranked(crop, pixels)
    assert found.verdict is Verdict.EDITED
    assert {Edit.MIRRORED, Edit.CROPPED} <= set(found.edits)
    assert found.score >= 9


def cloth(seed: int) -> Pixels:
    """Return a cloth with folds, a weave that compression smooths, and few spots."""
    rng = np.random.default_rng(seed)
    height, width = 460, 360
    y, x = np.mgrid[:height, :width].astype(np.float32)
    folds = 120 + 45 * np.sin(x / 70 + rng.uniform(0, 6)) + 40 * np.cos(y / 90 + rng.uniform(0, 6))
    weave = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 0.7)
    tones = (folds + 8 * weave / weave.std()).astype(np.float32)
    for _ in range(30):
        spot = np.zeros((height, width), np.float32)
        place = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        cv2.circle(spot, place, int(rng.integers(3, 9)), float(rng.choice([-1, 1]) * rng.uniform(25, 60)), -1)
        tones += cv2.GaussianBlur(spot, (0, 0), 1.5)
    return np.repeat(tones[:, :, None], 3, axis=2).clip(0, 255).astype(np.uint8)


def with_thing(pixels: Pixels, number: int) -> Pixels:
    """Return a cloth with a dark, spotted thing on it; each number is another thing of the same tone."""
    rng = np.random.default_rng(number)
    where, thing = np.zeros(pixels.shape[:2], np.uint8), np.full(pixels.shape, 60, np.uint8)
    cv2.ellipse(where, (180, 220), (55, int(55 * rng.uniform(0.6, 1))), float(rng.uniform(0, 90)), 0, 360, 1, -1)
    for _ in range(8):
        place = int(rng.uniform(125, 235)), int(rng.uniform(165, 275))
        cv2.circle(thing, place, int(rng.uniform(3, 8)), (int(rng.choice([30, 90])),) * 3, -1)
    return np.where(where[:, :, None] > 0, thing, pixels)


def combined(pixels: Pixels, seed: int) -> Pixels:
    edit = COMBINED["crop, mirror, caption, JPEG"]
    return np.asarray(edit(Image.fromarray(pixels), np.random.default_rng(seed)), np.uint8)


@pytest.mark.parametrize("seed", [1, 4])
def test_a_copy_of_a_cloth_is_proved_though_its_weave_was_smoothed(seed: int) -> None:
    found = ranked(combined(cloth(seed), seed), cloth(seed))
    assert found.verdict is Verdict.EDITED
    assert {Edit.MIRRORED, Edit.CROPPED} <= set(found.edits)
    assert found.score >= 9


def test_another_thing_on_the_same_cloth_is_no_copy() -> None:
    query, stored = (with_thing(cloth(1), number) for number in (2, 1))
    assert not ranked(combined(query, 1), stored).verdict.is_copy


@pytest.mark.parametrize("seed", [1, 4])
def test_another_shot_of_a_cloth_is_no_copy(seed: int) -> None:
    stored = cloth(seed)
    y, x = np.mgrid[: stored.shape[0], : stored.shape[1]].astype(np.float32)
    moved = np.float32(3) * np.sin(x / 40) * np.cos(y / 33)
    query = cv2.remap(stored, x + moved, y + np.float32(0.6) * moved, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    assert not ranked(combined(np.asarray(query, np.uint8), seed), stored).verdict.is_copy


def test_points_prove_nothing_where_the_pixels_differ() -> None:
    pixels = pixels_of(3)
    other = cv2.resize(pixels_of(4), pixels.shape[1::-1])
    half = pixels.copy()
    half[:, pixels.shape[1] // 3 :] = other[:, pixels.shape[1] // 3 :]
    assert not ranked(half, pixels).verdict.is_copy


def test_two_views_from_a_turned_camera_are_no_copies() -> None:
    """Both show a part of one scene in perspective, and much that the other doesn't show."""
    whole = cv2.resize(pixels_of(5), (900, 700))
    corners = np.array([[0, 0], [600, 0], [600, 500], [0, 500]], np.float32)
    turned = np.array([[250, 120], [870, 60], [880, 680], [260, 600]], np.float32)
    matrix = cv2.getPerspectiveTransform(turned, corners)
    first = np.ascontiguousarray(whole[:500, :600])
    second = np.asarray(cv2.warpPerspective(whole, matrix, (600, 500)), np.uint8)
    view = QueryRegion(second, fingerprint.luminance(second), range(0)).view
    stored = extract_local_features(first, fingerprint.luminance(first))
    units = np.diag((600.0, 600.0, 1.0))
    onto = np.linalg.inv(units) @ np.linalg.inv(matrix) @ units
    alignment = align_by(view, stored, onto, 60, 62)
    assert alignment is not None
    assert alignment.correlation > 0.9
    assert copy_evidence.probability(view, stored, alignment) < scoring.PROOF


@pytest.mark.parametrize(
    ("changed", "agrees"),
    [({}, True), ({"correlation": 0.89}, False), ({"trimmed": 0.985}, False), ({"typical": 0.1}, False)],
)
def test_only_texture_may_be_smoothed(changed: dict[str, Any], agrees: bool) -> None:
    alignment = Alignment(np.eye(2, 3), 12, 16, 0.91, 0.992, 0.08, 0.9, 0.8, 0.0)
    assert agrees_but_for_texture(replace(alignment, **changed)) == agrees


AGREES = Alignment(np.eye(2, 3), 80, 82, 0.95, 0.97, 0.1, 0.5, 1.0, 0.0)


@pytest.mark.parametrize(
    ("changed", "proves"),
    [
        ({}, True),
        ({"inliers": 19, "matched": 44}, False),
        ({"trimmed": 0.85}, False),
        ({"typical": 0.24}, False),
        ({"matrix": np.eye(3), "inliers": 68}, False),
        ({"matrix": np.eye(3)}, True),
    ],
)
def test_parts_need_more_evidence(changed: dict[str, Any], proves: bool) -> None:
    assert scoring.proves_part(replace(AGREES, **changed)) == proves


@pytest.mark.parametrize(
    ("unlike", "changed", "proves"),
    [
        (0.02, {}, True),
        (0.1, {}, False),
        (0.02, {"correlation": 0.7}, False),
        (0.02, {"inliers": 20}, False),
        (0.02, {"covered": 0.3, "outside": 0.8}, False),
    ],
)
def test_one_structure_in_another_light_is_a_copy(unlike: float, changed: dict[str, Any], proves: bool) -> None:
    fine = FineComparison((), unlike, 1.4)
    assert agrees_in_structure(fine, replace(AGREES, **changed)) == proves
