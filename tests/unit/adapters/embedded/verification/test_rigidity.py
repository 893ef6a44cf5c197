"""Two shots of one scene are no copies, and a copy that fits its original everywhere is one whatever hides it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from bench.samples.edits import COMBINED
from bot.adapters.embedded.verification import copy_evidence, rigidity, scoring
from bot.domain.matches import Edit
from bot.images.features import fingerprint, geometry
from bot.images.features.comparison import motion
from bot.images.features.comparison.fine_print import Change, FineComparison
from bot.images.features.geometry import Alignment
from bot.images.features.local_features import LocalFeatures, extract_local_features
from bot.images.features.query_views import QueryRegion, QueryView
from tests.fixtures.scenes import scene
from tests.unit.adapters.embedded.verification.test_point_proof import ranked

Pixels = npt.NDArray[np.uint8]

STORED = np.asarray(scene(5), np.uint8)


def another_shot(nearness: float) -> Pixels:
    """Return the scene from another place: things move by up to ``nearness`` pixels, each by its own distance."""
    height, width = STORED.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    moved = np.float32(nearness) * np.sin(x / 40) * np.cos(y / 33)
    seen = cv2.remap(STORED, x + moved, y + 0.6 * moved, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return noisy(np.asarray(seen, np.uint8))


def noisy(pixels: Pixels) -> Pixels:
    grain = np.random.default_rng(1).normal(0, 14, pixels.shape)
    return np.asarray((pixels + grain).clip(0, 255), np.uint8)


def aligned(query: Pixels) -> tuple[QueryView, LocalFeatures, Alignment]:
    view = QueryRegion(query, fingerprint.luminance(query), range(0)).view
    stored = extract_local_features(STORED, fingerprint.luminance(STORED))
    found = geometry.align(view, stored)
    assert found is not None
    return view, stored, found


def test_a_noisy_copy_has_not_moved() -> None:
    view, stored, alignment = aligned(noisy(STORED))
    found = motion.measure(view, stored, alignment.matrix)
    assert found is not None
    assert found.residual < rigidity.RIGID[0].residual
    assert not rigidity.has_moved(view, stored, alignment)
    assert rigidity.stays(view, stored, alignment)
    assert copy_evidence.probability(view, stored, alignment) >= scoring.PROOF


def test_two_shots_of_a_scene_are_no_copies_though_their_luminances_agree() -> None:
    view, stored, alignment = aligned(another_shot(3))
    assert alignment.correlation > 0.9
    assert (
        scoring.copy_probability(alignment.correlation, alignment.typical, alignment.inliers, alignment.matched) > 0.9
    )
    assert copy_evidence.probability(view, stored, alignment) < scoring.PROOF


def test_movement_is_that_of_the_scene() -> None:
    view, stored, alignment = aligned(another_shot(3))
    found = motion.measure(view, stored, alignment.matrix)
    assert found is not None
    assert not rigidity.stays(view, stored, alignment)
    # 3 of 480 pixels are 1.25 of 200; three quarters of the points move less.
    assert rigidity.MOVED < found.residual < 1.25


@pytest.mark.parametrize("seed", [2, 6])
def test_a_crop_that_was_mirrored_captioned_and_compressed_is_a_copy(seed: int) -> None:
    image = scene(seed)
    edited = COMBINED["crop, mirror, caption, JPEG"](image, np.random.default_rng(seed))
    found = ranked(np.asarray(edited, np.uint8), np.asarray(image, np.uint8))
    assert found.verdict.is_copy
    assert {Edit.MIRRORED, Edit.CROPPED, Edit.OVERLAID} == set(found.edits)


ADDED = Change(30, 0.1, 0.5, 1.0, 0.1, 120, 0.2)
REPLACED = replace(ADDED, query_detail=0.5)
OTHER_WORDS = Change(8, 0.01, 0.9, 0.9, 0.02, 150, 0.6)


@pytest.mark.parametrize(
    ("changes", "inliers", "is_other"),
    [((ADDED,), 30, False), ((REPLACED,), 30, True), ((REPLACED,), 90, False), ((), 30, False)],
)
def test_another_thing_on_the_same_floor_is_no_sticker(
    changes: tuple[Change, ...], inliers: int, is_other: bool
) -> None:
    alignment = Alignment(np.eye(2, 3), inliers, 100, 0.9, 0.99, 0.1, 0.5, 1.0, 0.0)
    assert rigidity.shows_another_thing(alignment, FineComparison(changes, 0.2, 0.3)) == is_other


def test_a_photograph_of_a_picture_shows_nothing_else_in_it() -> None:
    alignment = Alignment(np.eye(3), 95, 100, 0.9, 0.99, 0.1, 0.5, 1.0, 0.0)
    assert rigidity.shows_another_thing(alignment, FineComparison((REPLACED,), 0.2, 0.3))
    assert not rigidity.shows_another_thing(alignment, FineComparison((ADDED,), 0.2, 0.3))


@pytest.mark.parametrize(
    ("fine", "proves"),
    [
        (FineComparison((ADDED, ADDED), 0.3, 0.3), True),
        (FineComparison((ADDED,) * 4, 0.3, 0.3), False),
        (FineComparison((REPLACED,), 0.3, 0.3), False),
        (FineComparison((ADDED, OTHER_WORDS), 0.3, 0.3), False),
    ],
)
def test_rigid_pictures_are_copies_if_little_was_added(fine: FineComparison, proves: bool) -> None:
    view, stored, alignment = aligned(noisy(STORED))
    assert rigidity.proves_copy(view, stored, alignment, fine) == proves


def test_the_luminances_may_differ_more_if_all_points_stay_in_place() -> None:
    view, stored, alignment = aligned(np.asarray(STORED * 0.9 + 9, np.uint8))
    darker = replace(alignment, trimmed=0.94, typical=0.3)
    assert rigidity.proves_copy(view, stored, darker, FineComparison((ADDED,), 0.3, 0.3))
    view, stored, alignment = aligned(another_shot(1.5))
    assert not rigidity.proves_copy(
        view, stored, replace(alignment, trimmed=0.94, typical=0.3), FineComparison((), 0, 0)
    )


def test_rigid_pictures_need_points_and_luminances_that_agree() -> None:
    _, _, alignment = aligned(noisy(STORED))
    assert rigidity.may_be_rigid(alignment)
    for worse in ({"inliers": 10}, {"trimmed": 0.9}, {"typical": 0.4}, {"covered": 0.3, "outside": 0.8}):
        assert not rigidity.may_be_rigid(replace(alignment, **worse))


def test_movement_can_not_be_measured_where_no_point_is_found_again() -> None:
    plain = np.full_like(STORED, 128)
    view = QueryRegion(plain, fingerprint.luminance(plain), range(0)).view
    stored = extract_local_features(STORED, fingerprint.luminance(STORED))
    assert motion.measure(view, stored, np.eye(2, 3)) is None
    assert not rigidity.stays(view, stored, Alignment(np.eye(2, 3), 12, 12, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0))
