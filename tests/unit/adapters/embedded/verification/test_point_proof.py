"""Point features prove copies that ORB points miss, and no pictures of other content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from bot.adapters.embedded.ports import Candidate, QueryFeatures, ScoredMatch
from bot.adapters.embedded.verification import copy_evidence, scoring
from bot.adapters.embedded.verification.item_evidence import rank_by_items
from bot.adapters.embedded.verification.point_proof import agrees_in_structure
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
