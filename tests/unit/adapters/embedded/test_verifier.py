"""Verification with the real extractor and verifier: edited copies, their edits, and pictures that are only similar."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.edits import COMBINED, EDITS
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.ports import FINGERPRINT_RADIUS, Candidate, ImageFeatures, QueryFeatures, ScoredMatch
from bot.adapters.embedded.verifier import GeometricVerifier
from bot.domain.matches import Edit, Verdict
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import picture, scene

SEEDS = range(2)
FLAT = np.full((200, 300, 3), 90, np.uint8)

CROPPED, MIRRORED, ROTATED, FRAMED, RECOLOURED = Edit
EXPECTED_EDITS: dict[str, set[Edit]] = {
    "JPEG quality 10": set(),
    "resized to 128 px": set(),
    "crop to 80 %": {CROPPED},
    "crop to 65 %": {CROPPED},
    "crop to 50 %": {CROPPED},
    "border": {FRAMED},
    "mirrored": {MIRRORED},
    "rotated by 5°": {ROTATED},
    "rotated by 5°, corners shown": {ROTATED, FRAMED},
    "rotated by 90°": {ROTATED},
    "caption": set(),
    "logo": set(),
    "colours changed": {RECOLOURED},
    "gray": {RECOLOURED},
    "blurred": set(),
    "noise": set(),
    "screenshot of a phone": {FRAMED},
    "screenshot of a browser": {FRAMED},
    "crop, mirror, caption, JPEG": {CROPPED, MIRRORED},
}


class Harness:
    """Stores features and verifies queries against them like the engine, but without an index."""

    def __init__(self) -> None:
        self._model = BuiltInModel()
        self._kept: dict[bytes, ImageFeatures] = {}

    def features(self, *images: Image.Image) -> list[ImageFeatures]:
        async def work() -> list[ImageFeatures]:
            extractor = PictureFeatureExtractor(self._model, 1)
            try:
                return [await extractor.extract(picture(image)) for image in new]
            finally:
                await extractor.close()

        new = [image for image in images if image.tobytes() not in self._kept]
        for image, features in zip(new, asyncio.run(work()) if new else [], strict=True):
            self._kept[image.tobytes()] = features
        return [self._kept[image.tobytes()] for image in images]

    def query_features_of(self, image: Image.Image) -> QueryFeatures:
        async def work() -> QueryFeatures:
            extractor = PictureFeatureExtractor(self._model, 1)
            try:
                return await extractor.extract_query(picture(image))
            finally:
                await extractor.close()

        return asyncio.run(work())

    def search(self, query: Image.Image, *reference: Image.Image) -> list[ScoredMatch]:
        query_features = self.query_features_of(query)
        candidates = [
            candidate(row, query_features, features) for row, features in enumerate(self.features(*reference))
        ]
        # The most alike first, as in the engine.
        order = sorted(range(len(candidates)), key=lambda row: -candidates[row].cosine)
        scored = GeometricVerifier().verify(query_features, [candidates[row] for row in order], None)
        return [scored for _, scored in sorted(zip(order, scored, strict=True), key=lambda pair: pair[0])]


def candidate(row: int, query_features: QueryFeatures, features: ImageFeatures) -> Candidate:
    cosine = float((query_features.embeddings @ features.embedding).max())
    found = Candidate(row, cosine, local_features=features.local_features)
    if not (features.fingerprint and len(query_features.fingerprints)):
        return found
    distances = np.bitwise_count(query_features.fingerprints ^ np.frombuffer(features.fingerprint, np.uint8)).sum(
        axis=1
    )
    nearest = int(distances.argmin())
    if distances[nearest] > FINGERPRINT_RADIUS:
        return found
    return replace(found, fingerprint_distance=int(distances[nearest]), fingerprint_row=nearest)


@pytest.fixture(scope="module")
def harness() -> Harness:
    return Harness()


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


@pytest.mark.parametrize("name", EXPECTED_EDITS)
def test_edited_copy_is_detected_with_its_edit(harness: Harness, name: str) -> None:
    edit = {**EDITS, **COMBINED}[name]
    for seed in SEEDS:
        query = edit(scene(seed), np.random.default_rng(seed))
        scored = harness.search(query, *(scene(number) for number in range(4)))
        own = scored.pop(seed)
        assert own.score >= 9
        assert own.verdict is not Verdict.SIMILAR
        assert set(own.edits) == EXPECTED_EDITS[name]
        assert all(other.verdict is Verdict.SIMILAR and other.score < 9 for other in scored)


def test_every_edit_of_the_benchmark_has_an_expectation() -> None:
    assert set(EXPECTED_EDITS) == set(EDITS) | set(COMBINED)


@pytest.mark.parametrize("seed", SEEDS)
def test_picture_and_its_recompressions_are_the_same_image(harness: Harness, seed: int) -> None:
    for quality in (None, 85, 40, 10):
        query = scene(seed) if quality is None else _jpeg(scene(seed), quality)
        [scored] = harness.search(query, scene(seed))
        assert (scored.verdict, scored.edits) == (Verdict.SAME, ())
        assert scored.score > 9.5


@pytest.mark.parametrize("name", [name for name, edits in EXPECTED_EDITS.items() if edits] + ["caption", "logo"])
def test_edited_copy_is_never_the_same_image(harness: Harness, name: str) -> None:
    edit = {**EDITS, **COMBINED}[name]
    [scored] = harness.search(edit(scene(4), np.random.default_rng(4)), scene(4))
    assert scored.verdict is Verdict.EDITED


def test_stored_picture_may_be_the_edited_one(harness: Harness) -> None:
    """The database has the cropped, framed or rotated picture, and the query is the original."""
    cropped = scene(1).crop((90, 60, 420, 330))
    turned = scene(1).transpose(Image.Transpose.ROTATE_90)
    mirrored = scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scored = harness.search(scene(1), cropped, turned, mirrored)
    assert [one.verdict for one in scored] == [Verdict.EDITED] * 3
    assert [set(one.edits) for one in scored] == [{FRAMED}, {ROTATED}, {MIRRORED}]


@pytest.mark.parametrize(
    ("turn", "edits"),
    [
        (Image.Transpose.FLIP_LEFT_RIGHT, {MIRRORED}),
        (Image.Transpose.FLIP_TOP_BOTTOM, {MIRRORED, ROTATED}),
        (Image.Transpose.ROTATE_90, {ROTATED}),
        (Image.Transpose.ROTATE_180, {ROTATED}),
        (Image.Transpose.ROTATE_270, {ROTATED}),
        (Image.Transpose.TRANSPOSE, {MIRRORED, ROTATED}),
        (Image.Transpose.TRANSVERSE, {MIRRORED, ROTATED}),
    ],
)
def test_fingerprint_detects_every_rotation(harness: Harness, turn: Image.Transpose, edits: set[Edit]) -> None:
    """The points are removed, so only the fingerprint and its overlay remain."""
    query_features, [features] = harness.query_features_of(scene(2).transpose(turn)), harness.features(scene(2))
    one = candidate(0, query_features, features)
    assert one.fingerprint_distance is not None
    assert one.fingerprint_distance <= 8
    [scored] = GeometricVerifier().verify(query_features, [replace(one, cosine=-1.0)], None)
    assert scored.score > 9.8
    assert set(scored.edits) == edits


def test_several_copies_are_all_found(harness: Harness) -> None:
    copies = [scene(1), _jpeg(scene(1), 40), scene(1).crop((30, 30, 450, 340)), _mirrored(scene(1))]
    scored = harness.search(scene(1), *copies, scene(2), scene(3))
    assert [one.verdict is Verdict.SIMILAR for one in scored] == [False] * 4 + [True] * 2


# -- similar pictures --------------------------------------------------------------------------------------------------


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


# -- damaged and missing evidence --------------------------------------------------------------------------------------


def test_damaged_local_features_affect_only_their_image(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(1))
    whole = candidate(7, query_features, features)
    damaged = [
        replace(whole, row_id=3, local_features=data)
        for data in (b"x", features.local_features[:-1], bytes(8), b"\xff" * 15000)
    ]
    with caplog.at_level(logging.WARNING):
        *broken, last = GeometricVerifier().verify(query_features, [*damaged, whole], None)
    assert all(one.verdict is Verdict.SIMILAR and one.score < 9 for one in broken)
    assert last.verdict is Verdict.SAME
    assert "row 3" in caplog.text
    assert len(caplog.records) == len(damaged)


def test_scrambled_points_give_no_copy(harness: Harness) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(2))
    chance = np.random.default_rng(0)
    for _ in range(5):
        scrambled = features.local_features[:8] + chance.bytes(len(features.local_features) - 8)
        [scored] = GeometricVerifier().verify(query_features, [Candidate(0, 0.6, 40, 3, scrambled)], None)
        assert scored.score < 9


def test_query_without_local_features_is_scored_by_similarity(harness: Harness) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(1))
    empty = QueryFeatures(query_features.embeddings, np.empty((0, 32), np.uint8), ())
    strange = QueryFeatures(query_features.embeddings, query_features.fingerprints, (b"not a look",))
    for one in (empty, strange):
        [scored] = GeometricVerifier().verify(one, [candidate(0, one, features)], None)
        assert scored.verdict is Verdict.SIMILAR
        assert scored.score < 9


def test_fingerprint_row_outside_every_region_is_ignored(harness: Harness) -> None:
    query_features, [features] = harness.query_features_of(scene(1)), harness.features(scene(2))
    [scored] = GeometricVerifier().verify(query_features, [Candidate(0, 0.2, 0, 99, features.local_features)], None)
    assert scored.verdict is Verdict.SIMILAR


def test_no_candidates_give_no_matches(harness: Harness) -> None:
    assert GeometricVerifier().verify(harness.query_features_of(scene(1)), [], None) == []


def test_calibration_of_the_database_is_used(harness: Harness) -> None:
    strict = ((0.9, 0.0), (0.95, 4.0), (0.97, 6.0), (0.99, 8.0), (1.0, 8.9))
    query_features = harness.query_features_of(scene(1))
    [usual], [own] = (
        GeometricVerifier().verify(query_features, [Candidate(0, 0.8)], curve) for curve in (None, strict)
    )
    assert own.score == 0
    assert usual.score > 6


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality))).convert("RGB")


def _mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
