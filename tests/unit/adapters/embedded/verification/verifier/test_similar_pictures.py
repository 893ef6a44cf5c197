"""Pictures that are only similar are no copies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.samples.edits import EDITS
from bot.adapters.embedded.ports import FINGERPRINT_RADIUS, Candidate, ScoredMatch
from bot.adapters.embedded.verification.verifier import FULLY_VERIFIED, GeometricVerifier
from bot.domain.matches import Verdict
from bot.images.features import geometry
from tests.fixtures.scenes import scene
from tests.unit.adapters.embedded.verification.verifier.harness import SEEDS, Harness

FLAT = np.full((200, 300, 3), 90, np.uint8)


def label(text: str) -> Image.Image:
    image = Image.new("RGB", (800, 400), "white")
    ImageDraw.Draw(image).text((60, 120), text, fill=(200, 0, 0), font=ImageFont.load_default(size=140))
    return image


def letter(seed: int) -> Image.Image:
    """Draw a letter with its own lines under the same letterhead."""
    chance = np.random.default_rng(seed)
    image = Image.new("RGB", (620, 880), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 620, 90), fill=(30, 60, 130))
    draw.text((40, 20), "ACME Industries", fill="white", font=ImageFont.load_default(size=40))
    for top in range(150, 820, 28):
        words = " ".join("x" * int(length) for length in chance.integers(1, 9, 8))
        draw.text((50, top), words, fill="black", font=ImageFont.load_default(size=20))
    return image


def test_unrelated_pictures_stay_below_9(harness: Harness) -> None:
    for seed in range(10, 14):
        for scored in harness.search(scene(seed), *(scene(other) for other in range(20, 26))):
            assert scored.verdict is Verdict.SIMILAR
            assert scored.edits == ()
            assert 0 <= scored.score < 9


def labelled(seed: int, at: tuple[int, int]) -> Image.Image:
    """Draw the same emblem and words on a different object for each seed."""
    image = scene(seed).copy()
    draw, (x, y) = ImageDraw.Draw(image), at
    draw.rectangle((x, y, x + 170, y + 120), fill=(250, 250, 245))
    draw.ellipse((x + 10, y + 10, x + 80, y + 80), fill=(200, 30, 40))
    draw.text((x + 20, y + 70), "Acme Tea", fill=(20, 20, 80), font=ImageFont.load_default(size=34))
    return image


def test_shared_label_is_no_copy(harness: Harness) -> None:
    for seed in SEEDS:
        others = [labelled(seed + 10, (180, 90)), labelled(seed + 20, (60, 150)), labelled(seed + 30, (150, 200))]
        for scored in harness.search(labelled(seed, (60, 150)), *others):
            assert scored.verdict is Verdict.SIMILAR
            assert scored.score < 9


def test_screenshots_of_one_app_with_different_pictures_are_no_copies(harness: Harness) -> None:
    shot = EDITS["screenshot of a phone"]
    first, *others = (shot(scene(seed), np.random.default_rng(0)) for seed in range(4))
    for scored in harness.search(first, *others):
        assert scored.verdict is Verdict.SIMILAR
        assert scored.score < 9


@pytest.mark.parametrize("cosine", [-1.0, 0.0, 0.5, 0.9, 1.0])
def test_similarity_alone_never_reaches_9(harness: Harness, cosine: float) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(2))
    without, strange = Candidate(0, cosine), Candidate(1, cosine, local_features=features.local_features)
    for scored in GeometricVerifier().verify(query_features, [without, strange], None):
        assert scored.verdict is Verdict.SIMILAR
        assert scored.score < 9


def test_flat_picture_is_the_same_only_as_itself(harness: Harness) -> None:
    flat = Image.fromarray(FLAT)
    lighter = Image.fromarray(FLAT + 1)
    own, *others = harness.search(flat, flat, lighter, scene(1))
    assert own == ScoredMatch(10.0, Verdict.SAME)
    for scored in others:
        assert scored.verdict is Verdict.SIMILAR
        assert scored.score < 9


@pytest.mark.parametrize("number", ["PUMP 200", "PUMP 110", "PUMP 180"])
def test_labels_with_one_different_digit_are_no_copies(harness: Harness, number: str) -> None:
    [scored] = harness.search(label("PUMP 100"), label(number))
    assert scored.verdict is Verdict.SIMILAR
    assert scored.score < 9


def test_letters_with_the_same_letterhead_are_no_copies(harness: Harness) -> None:
    first, *others = (letter(seed) for seed in range(4))
    own, *scored = harness.search(first, first, *others)
    assert own.verdict is Verdict.SAME
    assert all(other.verdict is Verdict.SIMILAR for other in scored)


@pytest.mark.parametrize("edit", ["JPEG quality 10", "resized to 128 px", "gray", "mirrored", "noise"])
def test_edited_labels_are_copies(harness: Harness, edit: str) -> None:
    reference = label("PUMP 100")
    [scored] = harness.search(EDITS[edit](reference, np.random.default_rng(1)), reference)
    assert scored.verdict is not Verdict.SIMILAR
    assert scored.score >= 9


def test_fingerprint_collision_is_no_copy(harness: Harness) -> None:
    """The fingerprints collide, but the pictures differ."""
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(2))
    for row, distance in itertools.product(range(8), (0, 31, FINGERPRINT_RADIUS)):
        [scored] = GeometricVerifier().verify(
            query_features, [Candidate(0, 0.2, distance, row, features.local_features)], None
        )
        assert scored.verdict is Verdict.SIMILAR
        assert scored.score < 9


def test_what_is_hardly_alike_is_not_compared_far_down_nor_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    harness, compared = Harness(), list[object]()

    def match_nothing(view: object, _: object) -> geometry.Pairs:
        compared.append(view)
        return np.empty((0, 2), np.intp)

    query, stored = harness.query_features_of(scene(0)), harness.features(scene(1))[0].local_features
    monkeypatch.setattr(geometry, "match_points", match_nothing)
    candidates = [Candidate(row, cosine, local_features=stored) for row, cosine in enumerate([0.9, *[0.4] * 9])]
    GeometricVerifier().verify(query, candidates, None)
    view = query.regions[0].view  # type: ignore[attr-defined]
    assert [compared.count(view), compared.count(view.mirrored)] == [FULLY_VERIFIED, 1]
