"""Copies that hide well are found, and their edits are named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from bench.samples import drawings, hard_edits
from bench.samples.edits import EDITS
from bot.domain.matches import Edit, Verdict
from tests.fixtures.scenes import scene
from tests.unit.adapters.embedded.verification.verifier.harness import (
    CROPPED,
    FRAMED,
    INVERTED,
    MIRRORED,
    OVERLAID,
    PHOTOGRAPHED,
    RECOLOURED,
    Harness,
)

WHITE, RED, BLACK = (255, 255, 255), (196, 72, 60), (0, 0, 0)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text", {OVERLAID}),
        ("stickers", {OVERLAID}),
        ("big sticker", {OVERLAID}),
        ("strong filter", {RECOLOURED}),
        ("inverted", {INVERTED}),
        ("photo of a screen", {PHOTOGRAPHED}),
        ("photo of a print", {PHOTOGRAPHED}),
        ("close-up of a screen", {PHOTOGRAPHED, CROPPED}),
    ],
)
def test_hard_edit_is_a_copy_with_its_word(harness: Harness, name: str, words: set[Edit]) -> None:
    edit, required = hard_edits.HARD_EDITS[name]
    query = edit(scene(5), rng(3))
    own, other = harness.search(query, scene(5), scene(6))
    assert own.verdict is Verdict.EDITED
    assert own.score >= 9
    assert required <= words
    assert set(own.edits) == words
    assert other.verdict is Verdict.SIMILAR


def test_screenshot_of_a_feed_is_a_framed_copy(harness: Harness) -> None:
    own, other = harness.search(hard_edits.feed_screenshot(scene(5), rng(3)), scene(5), scene(6))
    assert own.verdict is Verdict.EDITED
    assert FRAMED in own.edits
    assert other.verdict is Verdict.SIMILAR


@pytest.mark.parametrize("name", ["logo", "caption"])
def test_addition_to_goods_on_a_plain_ground_is_an_overlaid_copy(harness: Harness, name: str) -> None:
    goods = drawings.product(rng(1), 0.3, "Lime")
    [scored] = harness.search(EDITS[name](goods, rng(2)), goods)
    assert scored.verdict is Verdict.EDITED
    assert OVERLAID in scored.edits


def test_line_art_is_recognised_with_a_caption_cropped_and_inverted(harness: Harness) -> None:
    art = drawings.line_art(rng(4))
    for query, word in (
        (EDITS["caption"](art, rng(1)), OVERLAID),
        (EDITS["crop to 65 %"](art, rng(1)), CROPPED),
        (hard_edits.inverted(art, rng(1)), INVERTED),
    ):
        own, other = harness.search(query, art, drawings.line_art(rng(5)))
        assert own.verdict is Verdict.EDITED
        assert word in own.edits
        assert other.verdict is Verdict.SIMILAR


@pytest.mark.parametrize("ground", [RED, BLACK], ids=["colour", "black"])
@pytest.mark.parametrize("seed", [3, 4])
def test_logo_is_recognised_on_another_ground(harness: Harness, seed: int, ground: tuple[int, int, int]) -> None:
    stored = [drawings.on_ground(drawings.logo(rng(number)), WHITE, rng(1)) for number in (seed, seed + 1)]
    own, other = harness.search(drawings.on_ground(drawings.logo(rng(seed)), ground, rng(2)), *stored)
    assert own.verdict is Verdict.EDITED
    assert own.edits == (RECOLOURED,)
    assert other.verdict is Verdict.SIMILAR


def test_disk_on_another_ground_is_no_copy(harness: Harness) -> None:
    """Every disk has the outline of every other."""
    disk = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    disk.paste((90, 120, 200, 255), (100, 100, 300, 300))
    query, stored = (drawings.on_ground(disk, ground, rng(1)) for ground in (BLACK, WHITE))
    [scored] = harness.search(query, stored)
    assert scored.verdict is Verdict.SIMILAR


@pytest.mark.parametrize("seed", [1, 2])
def test_mirrored_copy_of_a_nearly_symmetrical_picture_is_called_mirrored(harness: Harness, seed: int) -> None:
    # Both ways prove a copy. The one with more agreeing points is right.
    image = scene(seed)
    width, height = image.size
    image.paste(ImageOps.mirror(image.crop((0, 0, width // 2, height))), (width - width // 2, 0))
    image.paste(scene(seed + 50).resize((width // 4, height // 4)), (width // 12, height // 10))
    query = ImageOps.mirror(image).crop((width // 16, height // 20, width * 9 // 10, height * 9 // 10))
    [found] = harness.search(query, image)
    assert found.edits == (CROPPED, MIRRORED)
