"""PDQ against the reference implementation, in every orientation and at every size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.images.decode.normaliser import PictureLimits, normalise
from bot.images.features import fingerprint
from tests.fixtures import pictures
from tests.fixtures.scenes import picture, scene

Pixels = npt.NDArray[np.uint8]

# Seed, width and height of ``waves``, and the hash by Meta's C++ implementation (pdqhash 0.2.8 on PyPI).
REFERENCE = [
    (1, 512, 512, "f2c15d17d2839c13e2818800eaaadfdfc0415d47c089dfd7d249dfddc229fc45"),
    (2, 400, 300, "bf9a5b70bfa48c49bf3cbfa752d2551f1086098e028e00840a819fdfb4c35ddf"),
    (3, 300, 500, "a701e24ba52fe24fa52a266af521c78a72d879a0affbaaa0a759aaa0b757c9a0"),
    (4, 128, 128, "efb3a79a50d1e37b38b2d6ab78024d54aff8885c45fd295ca4902e0077f5ae08"),
    (5, 97, 64, "a11479fef51139fab12255fe90d7ba44f855120016afbd54769d1f4646bba150"),
    (6, 64, 211, "ff12a3b8b3543bfa892f51a75e028ad547a1aa75dfa0a8f51058c5ce821f14ce"),
    (8, 48, 40, "8f9468cf8192d8898b2cd5cd7f752ad16f852a0b4f869c0f4f8e5aa4f396242d"),
    (10, 64, 64, "a4aaee20a1ad8a00f5deef7fa1aacf68a0aacb7ba1a8eb22a8a86b4a4550cb77"),
]


def waves(seed: int, width: int, height: int) -> Pixels:
    """Draw plane waves in all directions. They are the same on every machine, because no library resizes or draws."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    total = np.zeros((height, width, 3))
    for _ in range(24):
        across, down = chance.uniform(-18, 18, 2)
        phase = chance.uniform(0, 2 * np.pi)
        colour = chance.uniform(-40, 40, 3)
        total += np.sin(2 * np.pi * (across * x + down * y) + phase)[..., None] * colour
    return (total + 128).clip(0, 255).astype(np.uint8)


def distance(first: bytes | Pixels, second: bytes) -> int:
    return int(np.bitwise_count(np.frombuffer(bytes(first), np.uint8) ^ np.frombuffer(second, np.uint8)).sum())


def turned(pixels: Pixels) -> list[Pixels]:
    """Return the picture in all eight orientations, in the order of ``orientations``."""
    bases = (pixels, pixels.transpose(1, 0, 2))
    views = [view for base in bases for view in (base, base[:, ::-1], base[::-1], base[::-1, ::-1])]
    return [np.ascontiguousarray(view) for view in views]


@pytest.mark.parametrize(("seed", "width", "height", "expected"), REFERENCE)
def test_hashes_equal_those_of_the_reference(seed: int, width: int, height: int, expected: str) -> None:
    checksum, quality = fingerprint.pdq(waves(seed, width, height))
    assert distance(checksum, bytes.fromhex(expected)) <= 4
    assert quality == 100


def test_large_picture_is_scaled_down_and_keeps_its_hash() -> None:
    expected = "4e4f675d8e09a755ad05fa8803ebfaffe26f42550280c3038682ff9f57d70601"
    assert distance(fingerprint.pdq(waves(7, 1023, 700))[0], bytes.fromhex(expected)) <= 8


@pytest.mark.parametrize("size", [(480, 360), (257, 129), (200, 700), (1000, 999), (64, 64), (40, 30)])
def test_each_orientation_is_the_hash_of_the_transformed_picture(size: tuple[int, int]) -> None:
    pixels = np.asarray(scene(1, size))
    rows = fingerprint.orientations(fingerprint.luminance(pixels))
    assert rows.shape == (8, 32)
    for row, view in zip(rows, turned(pixels), strict=True):
        assert distance(row, fingerprint.pdq(view)[0]) <= 8


def test_orientation_matrices_match_the_orientations() -> None:
    """Applying each matrix to (x, y) about the centre gives the picture whose hash is in that row."""
    pixels = np.asarray(scene(2, (64, 64)))
    y, x = np.mgrid[0:64, 0:64]
    for turn, view in zip(fingerprint.ORIENTATION_MATRICES, turned(pixels), strict=True):
        centred = np.stack((x.ravel(), y.ravel())) - 31.5
        there = (np.array(turn) @ centred + 31.5).astype(int)
        moved = np.empty_like(pixels)
        moved[there[1], there[0]] = pixels[y.ravel(), x.ravel()]
        assert np.array_equal(moved, view)


def test_unrelated_pictures_are_far_apart() -> None:
    checksums = [fingerprint.pdq(np.asarray(scene(seed)))[0] for seed in range(8)]
    distances = [distance(first, second) for number, first in enumerate(checksums) for second in checksums[:number]]
    assert min(distances) > 80
    assert 110 < float(np.mean(distances)) < 146


def test_mild_edits_have_near_fingerprints() -> None:
    original = np.asarray(scene(3))
    recompressed = normalise(pictures.encoded(scene(3), "JPEG", quality=10), PictureLimits()).pixels
    shrunk = np.asarray(scene(3).resize((128, 96)))
    brighter = (original * 0.8 + 40).astype(np.uint8)
    for edited in (recompressed, shrunk, brighter):
        assert distance(fingerprint.pdq(edited)[0], fingerprint.pdq(original)[0]) <= 24


@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_flat_picture_has_no_fingerprint(value: int) -> None:
    pixels = np.full((90, 120, 3), value, np.uint8)
    assert fingerprint.pdq(pixels) == (b"", 0)
    assert fingerprint.orientations(fingerprint.luminance(pixels)).shape == (0, 32)
    assert fingerprint.compute(picture(pixels)) == b""


def test_gentle_gradient_has_too_little_detail() -> None:
    slope = np.broadcast_to(np.linspace(90, 160, 200)[None, :, None], (150, 200, 3)).astype(np.uint8)
    checksum, quality = fingerprint.pdq(slope)
    assert checksum == b""
    assert quality < fingerprint.MIN_QUALITY


def test_fingerprint_is_computed_once_and_freed_with_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    one = picture(scene(1))
    expected = fingerprint.pdq(one.pixels)[0]
    assert fingerprint.compute(one) == expected
    monkeypatch.setattr(fingerprint, "pdq", None)
    assert fingerprint.compute(one) == expected


@given(st.integers(1, 600), st.integers(1, 20), st.booleans(), st.integers(0, 99), st.integers(0, 128))
@example(1, 1, False, 0, 128)
@example(600, 1, False, 0, 128)
@example(600, 1, True, 0, 128)
@settings(max_examples=60, deadline=None)
def test_any_size_gives_32_bytes_or_none(long: int, short: int, upright: bool, seed: int, contrast: int) -> None:
    noise = np.random.default_rng(seed).integers(128 - contrast, 128 + contrast, (short, long, 3), endpoint=True)
    pixels = noise.clip(0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels.transpose(1, 0, 2)) if upright else pixels
    checksum, quality = fingerprint.pdq(pixels)
    rows = fingerprint.orientations(fingerprint.luminance(pixels))
    assert 0 <= quality <= 100
    assert len(checksum) == (32 if quality >= fingerprint.MIN_QUALITY else 0)
    assert len(rows) == (8 if checksum else 0)
    assert not checksum or bytes(rows[0]) == checksum
