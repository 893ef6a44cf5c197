"""Pictures of one template with other words are no copies, and their true copies are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.recognition import lookalikes
from bench.recognition.templates import TEMPLATES, Painter, siblings
from bench.samples import drawings
from bench.samples.edits import EDITS
from bot.adapters.embedded.ports import Candidate, QueryFeatures
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.matches import Verdict
from bot.images.features import fingerprint
from bot.images.features.local_features import extract_local_features
from bot.images.features.query_views import QueryRegion
from tests.fixtures.scenes import picture, scene


def verdict(query: Image.Image, stored: Image.Image, *, version_1: bool = False) -> Verdict:
    pixels, kept = picture(query).pixels, picture(stored).pixels
    features = extract_local_features(kept, fingerprint.luminance(kept))
    packed = (replace(features, encoded=b"") if version_1 else features).pack()
    region = QueryRegion(pixels, fingerprint.luminance(pixels), range(0))
    query_features = QueryFeatures(np.zeros((1, 1), np.float32), np.empty((0, 32), np.uint8), (region,))
    [scored] = GeometricVerifier().verify(query_features, [Candidate(1, 0.95, local_features=packed)], None)
    assert (scored.score >= 9) is scored.verdict.is_copy
    return scored.verdict


@pytest.mark.parametrize("paint", TEMPLATES, ids=lambda paint: paint.__name__)
def test_siblings_of_a_template_are_no_copies(paint: Painter) -> None:
    assert list(lookalikes.false_copies(siblings(paint, 7, 2))) == [False, False]


@pytest.mark.parametrize("paint", TEMPLATES, ids=lambda paint: paint.__name__)
@pytest.mark.parametrize("edit", ["JPEG quality 10", "resized to 128 px"])
def test_recompressed_and_reduced_pages_are_copies(paint: Painter, edit: str) -> None:
    [page] = siblings(paint, 7, 1)
    assert verdict(EDITS[edit](page, np.random.default_rng(1)), page).is_copy


@pytest.mark.parametrize(
    ("first", "second"),
    [((0.02, "Cherry"), (0.3, "Lime")), ((0.3, "Cherry"), (0.3, "Lime")), ((0.02, "Mint"), (0.6, "Mint"))],
    ids=["flavour", "name", "colour"],
)
def test_variants_of_a_product_are_no_copies(first: tuple[float, str], second: tuple[float, str]) -> None:
    query, stored = (drawings.product(np.random.default_rng(2), hue, words) for hue, words in (first, second))
    assert verdict(query, stored) is Verdict.SIMILAR


def test_words_replaced_on_a_patch_of_a_picture_are_no_copy() -> None:
    one, other = scene(3, (900, 700)).copy(), scene(3, (900, 700)).copy()
    for image, size in ((one, "500 ml"), (other, "750 ml")):
        patch = Image.new("RGB", (320, 130), (250, 220, 0))
        ImageDraw.Draw(patch).text((30, 30), size, fill="black", font=ImageFont.load_default(size=70))
        image.paste(patch, (520, 520))
    assert verdict(one, other) is Verdict.SIMILAR
    assert verdict(one, one) is Verdict.SAME


def test_rows_of_version_1_are_judged_by_their_thumbnail() -> None:
    assert verdict(EDITS["JPEG quality 10"](scene(2), np.random.default_rng(1)), scene(2), version_1=True).is_copy
    assert verdict(scene(2), scene(3), version_1=True) is Verdict.SIMILAR
