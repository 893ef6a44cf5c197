"""Colours: transparency, modes and profiles become plain sRGB."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from bot.images.decode.normaliser import normalise
from tests.fixtures import pictures
from tests.fixtures.pictures import BLUE, GREEN, RED, YELLOW, looks_like

# Transparency


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF", "HEIF", "GIF"])
def test_transparency_becomes_white(kind: str) -> None:
    image = pictures.quarters().convert("RGBA")
    image.paste((0, 0, 0, 0), (48, 0, 96, 32))
    looks_like(normalise(pictures.encoded(image, kind)).pixels, RED, (255, 255, 255), BLUE, YELLOW)


def test_half_transparency_is_blended_without_dark_edges() -> None:
    image = Image.new("RGBA", (2400, 1200), (0, 0, 0, 0))
    image.paste((*RED, 128), (0, 0, 1200, 1200))
    pixels = normalise(pictures.encoded(image, "PNG")).pixels.astype(int)
    red, green, blue = (round((c * 128 + 255 * 127) / 255) for c in RED)
    half = (red, green, blue)
    looks_like(pixels.astype(np.uint8), half, (255, 255, 255), half, (255, 255, 255), within=2)
    assert pixels[..., 0].min() >= half[0] - 2  # transparent pixels are black and must not darken the edge


def test_gray_with_alpha_and_named_transparent_colours() -> None:
    gray = Image.new("LA", (96, 64), (40, 255))
    gray.paste((0, 0), (48, 0, 96, 64))
    white = (255, 255, 255)
    looks_like(normalise(pictures.encoded(gray, "PNG")).pixels, (40,) * 3, white, (40,) * 3, white, within=1)
    named = pictures.encoded(pictures.quarters(), "PNG", transparency=GREEN)
    looks_like(normalise(named).pixels, RED, white, BLUE, YELLOW)
    palette = pictures.quarters().quantize(4)
    behind = palette.getpixel((10, 10))
    looks_like(normalise(pictures.encoded(palette, "PNG", transparency=behind)).pixels, white, GREEN, BLUE, YELLOW)
    partly = pictures.encoded(palette, "PNG", transparency=bytes([255] * 4))
    looks_like(normalise(partly).pixels, RED, GREEN, BLUE, YELLOW)


# Modes


def steps() -> np.ndarray:
    return np.linspace(0, 1, 96)[None, :].repeat(64, axis=0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str) -> None:
    gray = Image.fromarray((steps() * 65535).astype(np.uint16))
    pixels = normalise(pictures.encoded(gray, kind)).pixels
    assert np.abs(pixels[..., 1] - steps() * 255).max() <= 1.5


def test_sixteen_bits_in_either_byte_order() -> None:
    values = (steps() * 65535).astype(">u2")
    big = Image.frombuffer("I;16B", (96, 64), values.tobytes(), "raw", "I;16B", 0, 1)
    pixels = normalise(pictures.encoded(big, "TIFF")).pixels
    assert np.abs(pixels[..., 1] - steps() * 255).max() <= 1.5


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0, 1e6])
def test_floating_point_gray_is_scaled(top: float) -> None:
    image = Image.fromarray((steps() * top).astype(np.float32))
    pixels = normalise(pictures.encoded(image, "TIFF")).pixels
    assert np.abs(pixels[..., 0] - steps() * 255).max() <= 1.5


def test_nan_and_infinity_are_accepted() -> None:
    values = (steps() * 2 - 1).astype(np.float32)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    pixels = normalise(pictures.encoded(Image.fromarray(values), "TIFF")).pixels
    assert np.abs(pixels[5:, :, 0] - steps()[5:] * 255).max() <= 1.5
    flat = Image.fromarray(np.full((8, 8), -5, np.int32))
    assert normalise(pictures.encoded(flat, "TIFF")).pixels.max() == 0


@pytest.mark.parametrize(("top", "low"), [(65535, 0), (255, 0), (2**31 - 1, 0), (1000, -1000)])
def test_32_bit_integers_are_scaled(top: int, low: int) -> None:
    values = (steps() * (top - low) + low).round().astype(np.int32)
    pixels = normalise(pictures.encoded(Image.fromarray(values), "TIFF")).pixels
    assert np.abs(pixels[..., 0] - steps() * 255).max() <= 1.5


def test_one_bit_pictures_become_gray_when_scaled_down() -> None:
    board = Image.fromarray((np.indices((2046, 2046)).sum(axis=0) % 2).astype(bool))
    picture = normalise(pictures.encoded(board, "PNG"))
    assert np.abs(picture.pixels.astype(int) - 127).max() <= 2
    ink = Image.new("1", (10, 10), 1)
    assert normalise(pictures.encoded(ink, "TIFF")).pixels.min() == 255


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_converted(kind: str) -> None:
    cmyk = pictures.quarters().convert("CMYK")
    looks_like(normalise(pictures.encoded(cmyk, kind)).pixels, RED, GREEN, BLUE, YELLOW, within=20)


def test_adobe_ycck_is_converted() -> None:
    """Pillow writes CMYK without YCC only, so its planes are laid out as YCCK (inverted) and the marker changed."""
    inverted = ImageOps.invert(pictures.quarters()).convert("YCbCr")
    luma, blue, red = (np.asarray(plane) for plane in inverted.split())
    stored = np.stack([luma, blue, red, np.full_like(luma, 255)], axis=-1)
    data = pictures.encoded(
        Image.frombuffer("CMYK", (96, 64), (255 - stored).tobytes(), "raw", "CMYK", 0, 1), "JPEG", quality=95
    )
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    looks_like(normalise(data[:at] + b"\x02" + data[at + 1 :]).pixels, RED, GREEN, BLUE, YELLOW, within=20)


def test_lab_is_converted() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(pictures.quarters(), to_lab)
    assert lab is not None
    looks_like(normalise(pictures.encoded(lab, "TIFF")).pixels, RED, GREEN, BLUE, YELLOW)


# Colour profiles


def as_srgb(colour: tuple[int, int, int], gamma: float) -> np.ndarray:
    """A P3 colour in sRGB by the textbook, independent of the code under test (matrix: XYZ D50 to linear sRGB)."""
    xyz = np.array(pictures.P3).T @ (np.array(colour) / 255) ** gamma
    matrix = np.array([[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]])
    linear = (matrix @ xyz).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_wide_gamut_is_converted(kind: str) -> None:
    profile = pictures.matrix_profile(pictures.P3, 2.2)
    colour = (200, 90, 80)
    options = {} if kind in {"PNG", "TIFF"} else {"quality": 95}
    data = pictures.encoded(Image.new("RGB", (64, 64), colour), kind, icc_profile=profile, **options)
    seen = normalise(data).pixels[32, 32]
    wanted = as_srgb(colour, 2.2)
    assert np.abs(wanted - colour).max() > 10
    assert np.abs(seen - wanted).max() <= 5, (seen, wanted)


def test_srgb_profiles_change_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = pictures.photo(300, 200)
    plain, tagged = (normalise(pictures.encoded(image, "PNG", icc_profile=p)) for p in (b"", profile))
    assert plain.digest == tagged.digest


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200, pictures.matrix_profile(pictures.P3, 2.2)[:150]])
def test_broken_profiles_are_ignored(profile: bytes) -> None:
    looks_like(
        normalise(pictures.encoded(pictures.quarters(), "JPEG", icc_profile=profile)).pixels, RED, GREEN, BLUE, YELLOW
    )


def test_profile_of_other_channels_is_ignored() -> None:
    gray = Image.new("L", (20, 20), 90)
    profile = pictures.matrix_profile(pictures.P3, 2.2)
    assert set(normalise(pictures.encoded(gray, "JPEG", icc_profile=profile)).pixels.flat) == {90}
