"""Samples of 16 bits: read right however they lie in the file, or refused by what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bot.domain.errors import PictureRefused
from bot.images.decode.normaliser import normalise
from tests.fixtures.deep_pictures import deep_png, deep_tiff, ramp


def refusal(data: bytes) -> str:
    with pytest.raises(PictureRefused) as caught:
        normalise(data)
    return str(caught.value)


def close(data: bytes, wanted: npt.NDArray[Any]) -> None:
    seen = normalise(data).pixels.astype(int)
    assert np.abs(seen - wanted[..., :3]).max() <= 1.5


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("planar", [False, True])
def test_deep_tiffs_are_read_right_however_their_planes_lie(order: str, deflate: bool, planar: bool) -> None:
    values, dark = ramp(65535, 3), ramp(4095, 3)
    close(deep_tiff(values, planar=planar, deflate=deflate, order=order), values / 257)
    dark_file = deep_tiff(dark, planar=planar, deflate=deflate, order=order)
    if planar:
        assert "separate planes" in refusal(dark_file)
    else:
        close(dark_file, dark * (255 / 4095))
    gray = ramp(65535, 1)
    close(deep_tiff(gray, planar=planar, deflate=deflate, order=order), gray.repeat(3, axis=2) / 257)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_pngs_that_use_12_of_16_bits_are_bright(colour: int, channels: int) -> None:
    values = ramp(4095, channels)
    if channels in {2, 4}:
        values[..., -1] = 65535
    wanted = values[..., :1].repeat(3, axis=2) if channels < 3 else values
    close(deep_png(values, colour), wanted * (255 / 4095))


@pytest.mark.parametrize("highest", [1023, 4095, 16383])
def test_values_of_common_sensors_are_bright(highest: int) -> None:
    gray, colours = ramp(highest, 1), ramp(highest, 3)
    close(deep_png(gray, 0), gray.repeat(3, axis=2) * (255 / highest))
    close(deep_png(colours, 2), colours * (255 / highest))
    close(deep_tiff(gray), gray.repeat(3, axis=2) * (255 / highest))


def test_declared_bits_decide_over_a_guess() -> None:
    values = ramp(9000, 1)
    close(deep_png(values, 0), values.repeat(3, axis=2) / 257)  # a dark picture with 16 bits
    close(deep_png(values, 0, bits=14), values.repeat(3, axis=2) * (255 / 16383))
    close(deep_png(ramp(9000, 3), 2, bits=14), ramp(9000, 3) * (255 / 16383))
    close(
        deep_png(ramp(65520, 1), 0, bits=12), ramp(65520, 1).repeat(3, axis=2) / 257
    )  # in the upper bits, as specified
    close(deep_tiff(values, t281=9999), values.repeat(3, axis=2) * (255 / 9999))


def test_deep_gray_with_white_as_zero_is_not_a_negative() -> None:
    values = ramp(65535, 1)
    close(deep_tiff(values, t262=0), 255 - values.repeat(3, axis=2) / 257)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"t339": 3}, "a TIFF with floating-point pixels"),
        ({"t259": 34712}, "a TIFF with JPEG 2000 compression"),
        ({"t259": 50000}, "a TIFF with Zstandard compression"),
        ({"t262": 32803}, "a camera's raw file"),
    ],
)
def test_tiff_that_cannot_be_read_is_refused_by_its_name(tags: dict[str, Any], words: str) -> None:
    sentence = refusal(deep_tiff(ramp(65535, 3), **tags))
    assert words in sentence
    assert "damaged" not in sentence
