"""Item evidence: another photo of an item is recognised; pictures of one template and other things are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFont

from bot.adapters.embedded.ports import Candidate, QueryFeatures, ScoredMatch
from bot.adapters.embedded.verification.item_evidence import MIN_ITEM_SCORE, rank_by_items
from bot.domain.identifiers import EntityId
from bot.domain.matches import Verdict
from bot.images.features import fingerprint
from bot.images.features.local_features import extract_local_features
from bot.images.features.point_features import MAX_POINTS, extract_point_features, unpack
from bot.images.features.query_views import QueryRegion
from tests.fixtures.scenes import scene

Pixels = npt.NDArray[np.uint8]


def photographed(pixels: Pixels, seed: int = 1) -> Pixels:
    """Return a photo of a printed picture: seen from the side, bent a little, on a table."""
    height, width = pixels.shape[:2]
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bend = 5 * np.sin(across / width * np.pi * 2)
    bent = cv2.remap(pixels, across, (down + bend).astype(np.float32), cv2.INTER_LINEAR)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[90, 70], [430, 110], [410, 400], [110, 430]], np.float32)
    table = np.full((480, 520, 3), 120, np.uint8)
    size = (table.shape[1], table.shape[0])
    matrix = cv2.getPerspectiveTransform(corners, seen)
    shown = cv2.warpPerspective(bent, matrix, size)
    mask = cv2.warpPerspective(np.full(pixels.shape[:2], 255, np.uint8), matrix, size)[..., None] > 127
    grain = rng.normal(0, 4, table.shape)
    return (np.where(mask, shown * 0.85, table) + grain).clip(0, 255).astype(np.uint8)


def query_features(pixels: Pixels) -> QueryFeatures:
    region = QueryRegion(pixels, fingerprint.luminance(pixels), range(0))
    return QueryFeatures(np.zeros((1, 1), np.float32), np.empty((0, 32), np.uint8), (region,))


@cache
def packed_points(seed: int) -> bytes:
    return extract_point_features(fingerprint.luminance(pixels_of(seed))).pack()


@cache
def pixels_of(seed: int) -> Pixels:
    return np.asarray(scene(seed), np.uint8)


def rank(
    query: Pixels, packed: Mapping[int, bytes], cosines: Mapping[int, float], entities: Mapping[int, str] | None = None
) -> dict[int, ScoredMatch]:
    candidates = [Candidate(row_id, cosine) for row_id, cosine in cosines.items()]
    scored = [ScoredMatch(6.0, Verdict.SIMILAR) for _ in candidates]
    named = {row_id: EntityId((entities or {}).get(row_id, f"item_{row_id}")) for row_id in cosines}
    ranked = rank_by_items(query_features(query), candidates, scored, packed, named)
    return dict(zip(cosines, ranked, strict=True))


def test_item_in_another_photo_is_recognised_and_ranked_first() -> None:
    packed = {seed: packed_points(seed) for seed in range(4)}
    ranked = rank(photographed(pixels_of(2)), packed, {0: 0.66, 1: 0.65, 2: 0.64, 3: 0.6})
    assert ranked[2].verdict is Verdict.SAME_ITEM
    assert MIN_ITEM_SCORE <= ranked[2].score < 9
    assert all(ranked[seed] == ScoredMatch(6.0, Verdict.SIMILAR) for seed in (0, 1, 3))


def test_only_the_entity_with_most_agreeing_points_is_the_item() -> None:
    packed = {seed: packed_points(seed) for seed in range(3)}
    # A flavour of the same pack: half of the print is another.
    other = pixels_of(2).copy()
    other[:, other.shape[1] // 2 :] = pixels_of(3)[:, other.shape[1] // 2 :]
    packed[9] = extract_point_features(fingerprint.luminance(other)).pack()
    ranked = rank(photographed(pixels_of(2)), packed, {9: 0.66, 2: 0.66, 0: 0.6, 1: 0.6})
    assert ranked[2].verdict is Verdict.SAME_ITEM
    assert ranked[9].verdict is Verdict.SIMILAR
    assert 6.0 < ranked[9].score < ranked[2].score


def in_other_colours(pixels: Pixels) -> Pixels:
    luminance, red, blue = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))
    return np.asarray(cv2.cvtColor(cv2.merge((luminance, 255 - red, 255 - blue)), cv2.COLOR_YCrCb2RGB), np.uint8)


def in_gray(pixels: Pixels) -> Pixels:
    return np.repeat(fingerprint.luminance(pixels)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("print_of", "verdict"),
    [(np.copy, Verdict.SAME_ITEM), (in_gray, Verdict.SAME_ITEM), (in_other_colours, Verdict.SIMILAR)],
)
def test_a_flavour_in_other_colours_is_not_the_same_item(
    print_of: Callable[[Pixels], Pixels], verdict: Verdict
) -> None:
    pixels = pixels_of(2)
    local = extract_local_features(pixels, fingerprint.luminance(pixels)).pack()
    candidates = [Candidate(2, 0.66, local_features=local), Candidate(0, 0.6), Candidate(1, 0.6)]
    scored = [ScoredMatch(6.0, Verdict.SIMILAR) for _ in candidates]
    packed = {seed: packed_points(seed) for seed in range(3)}
    named = {row_id: EntityId(f"item_{row_id}") for row_id in range(3)}
    best, *_ = rank_by_items(query_features(photographed(print_of(pixels))), candidates, scored, packed, named)
    assert best.verdict is verdict
    assert 6.0 < best.score < 9


def test_all_photos_of_the_item_are_recognised() -> None:
    packed = {seed: packed_points(seed) for seed in range(3)}
    packed[9] = extract_point_features(fingerprint.luminance(photographed(pixels_of(2), seed=5))).pack()
    named = {2: "valve", 9: "valve"}
    ranked = rank(photographed(pixels_of(2)), packed, {9: 0.9, 2: 0.66, 0: 0.6, 1: 0.6}, named)
    assert ranked[2].verdict is Verdict.SAME_ITEM


def test_forms_of_one_template_are_not_the_same_item() -> None:
    packed = {seed: extract_point_features(fingerprint.luminance(form(seed))).pack() for seed in range(1, 3)}
    ranked = rank(form(3), packed, {1: 0.9, 2: 0.89})
    assert [match.verdict for match in ranked.values()] == [Verdict.SIMILAR] * 2


def test_unrelated_pictures_keep_their_scores() -> None:
    packed = {seed: packed_points(seed) for seed in range(4)}
    ranked = rank(photographed(pixels_of(11)), packed, {0: 0.66, 1: 0.65, 2: 0.64, 3: 0.6})
    assert set(ranked.values()) == {ScoredMatch(6.0, Verdict.SIMILAR)}


def test_pictures_without_point_features_are_ranked_by_their_sketches_but_prove_nothing() -> None:
    query = query_features(photographed(pixels_of(2)))
    candidates = [
        Candidate(seed, 0.6, local_features=extract_local_features(pixels_of(seed), gray).pack())
        for seed in range(4)
        for gray in (fingerprint.luminance(pixels_of(seed)),)
    ]
    named = {candidate.row_id: EntityId(f"item_{candidate.row_id}") for candidate in candidates}
    ranked = rank_by_items(query, candidates, [ScoredMatch(6.0, Verdict.SIMILAR)] * 4, {}, named)
    assert max(range(4), key=lambda index: ranked[index].score) == 2
    assert ranked[2].score > 6.5
    assert {match.verdict for match in ranked} == {Verdict.SIMILAR}


def test_damaged_point_features_affect_only_their_image(caplog: pytest.LogCaptureFixture) -> None:
    whole = packed_points(2)
    packed = {2: whole, 3: b"x", 4: whole[:-1], 5: bytes(7), 6: b"\xff" * 9000}
    ranked = rank(photographed(pixels_of(2)), packed, {2: 0.64, **dict.fromkeys((3, 4, 5, 6), 0.6)})
    assert ranked[2].verdict is Verdict.SAME_ITEM
    assert {ranked[row_id].verdict for row_id in (3, 4, 5, 6)} == {Verdict.SIMILAR}
    assert caplog.text.count("are damaged") == 4


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3), (60, 60), (512, 512)])
def test_pictures_without_points_are_stored_and_compared(shape: tuple[int, int]) -> None:
    plain = np.full((*shape, 3), 200, np.uint8)
    data = extract_point_features(fingerprint.luminance(plain)).pack()
    assert len(data) == 7
    assert rank(plain, {1: data, 2: packed_points(2)}, {1: 0.9, 2: 0.8})[1] == ScoredMatch(6.0, Verdict.SIMILAR)


@pytest.mark.parametrize("size", [(480, 360), (200, 200), (90, 500)])
def test_packed_points_are_small_and_unchanged(size: tuple[int, int]) -> None:
    made = extract_point_features(fingerprint.luminance(np.asarray(scene(1, size), np.uint8)))
    read = unpack(made.pack())
    assert len(made.pack()) <= 7 + MAX_POINTS * 38
    assert len(read.points) == len(made.points) > 50
    assert np.array_equal(read.codes, made.codes)
    assert read.points == pytest.approx(made.points, abs=1e-4)
    assert np.cos(read.angles - made.angles) == pytest.approx(1.0, abs=1e-3)
    assert read.scales == pytest.approx(made.scales, abs=0.04)


def form(number: int) -> Pixels:
    """Return a form with the same printed layout and other entries."""
    rng = np.random.default_rng(number)
    image = Image.new("RGB", (480, 620), "white")
    draw = ImageDraw.Draw(image)
    font, small = ImageFont.load_default(size=18), ImageFont.load_default(size=14)
    draw.text((20, 12), "APPLICATION FOR A PERMIT", fill="black", font=font)
    for line in range(12):
        draw.text(
            (20, 60 + 45 * line),
            f"{line + 1}. Question {'ABCDEFGHIJKL'[line] * 3} of applicant",
            fill="black",
            font=small,
        )
        draw.rectangle((20, 78 + 45 * line, 460, 100 + 45 * line), outline="black")
        entry = "".join(chr(letter) for letter in rng.integers(65, 91, 8))
        draw.text((30, 80 + 45 * line), entry, fill="navy", font=small)
    return np.asarray(image, np.uint8)
