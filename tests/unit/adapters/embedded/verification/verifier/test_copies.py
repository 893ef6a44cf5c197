"""Edited copies are found, with the edits that were made to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.samples.edits import COMBINED, EDITS
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.matches import Edit, Verdict
from tests.fixtures.scenes import scene
from tests.unit.adapters.embedded.verification.verifier.harness import (
    CROPPED,
    FRAMED,
    MIRRORED,
    OVERLAID,
    RECOLOURED,
    ROTATED,
    SEEDS,
    Harness,
    candidate,
    jpeg,
    mirrored,
)

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
    "caption": {OVERLAID},
    "logo": {OVERLAID},
    "colours changed": {RECOLOURED},
    "gray": {RECOLOURED},
    "blurred": set(),
    "noise": set(),
    "screenshot of a phone": {FRAMED},
    "screenshot of a browser": {FRAMED},
    "crop, mirror, caption, JPEG": {CROPPED, MIRRORED, OVERLAID},
}


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
        query = scene(seed) if quality is None else jpeg(scene(seed), quality)
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
    copies = [scene(1), jpeg(scene(1), 40), scene(1).crop((30, 30, 450, 340)), mirrored(scene(1))]
    scored = harness.search(scene(1), *copies, scene(2), scene(3))
    assert [one.verdict is Verdict.SIMILAR for one in scored] == [False] * 4 + [True] * 2
