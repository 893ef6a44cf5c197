"""Normalisation: pictures of every format and mode become upright sRGB without metadata."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from bot.images.decode.normaliser import DEFAULT_LIMITS, PictureLimits, decode_stored, encode_jpeg, normalise
from tests.fixtures import pictures
from tests.fixtures.pictures import BLUE, GREEN, RED, YELLOW

KINDS = {
    "JPEG": "JPEG",
    "PNG": "PNG",
    "WEBP": "WebP",
    "GIF": "GIF",
    "AVIF": "AVIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "HEIF": "HEIC",
}


def looks_like(pixels: np.ndarray, *colours: tuple[int, int, int], within: int = 12) -> None:
    seen = pictures.corners(pixels)
    assert np.abs(np.array(seen) - np.array(colours)).max() <= within, seen


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_every_format_is_decoded(kind: str, name: str) -> None:
    data = pictures.encoded(pictures.quarters(), kind)
    picture = normalise(data)
    looks_like(picture.pixels, RED, GREEN, BLUE, YELLOW)
    assert picture.source_format == name
    assert picture.source_size == (96, 64)
    assert (picture.width, picture.height) == (96, 64)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert picture.source_digest == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(kind: str, orientation: int) -> None:
    stored = pictures.quarters()
    if orientation in pictures.TURNS:
        stored = stored.transpose(pictures.TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = normalise(pictures.encoded(stored, kind, exif=exif.tobytes()))
    looks_like(picture.pixels, RED, GREEN, BLUE, YELLOW)
    assert picture.source_size == (96, 64)


def test_orientation_is_applied_after_scaling() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = pictures.quarters(1200, 3000).transpose(pictures.TURNS[6])
    picture = normalise(pictures.encoded(stored, "JPEG", exif=exif))
    looks_like(picture.pixels, RED, GREEN, BLUE, YELLOW)
    assert picture.source_size == (1200, 3000)
    assert picture.height > picture.width


def test_png_orientation_after_the_pixels_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    png = pictures.encoded(pictures.quarters().transpose(pictures.TURNS[3]), "PNG")
    body = b"eXIf" + exif.tobytes()[6:]
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    looks_like(normalise(png[:-12] + chunk + png[-12:]).pixels, RED, GREEN, BLUE, YELLOW)


def test_broken_exif_is_ignored() -> None:
    data = pictures.encoded(pictures.quarters(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    looks_like(normalise(data).pixels, RED, GREEN, BLUE, YELLOW)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF", "PNG", "TIFF"])
def test_first_frame_is_used(kind: str) -> None:
    frames = [pictures.quarters(), Image.new("RGB", (96, 64)), Image.new("RGB", (96, 64), "white")]
    picture = normalise(pictures.encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    looks_like(picture.pixels, RED, GREEN, BLUE, YELLOW)


@pytest.mark.parametrize(
    ("size", "result"),
    [
        ((1023, 500), (1023, 500)),
        ((1024, 768), (1023, 767)),
        ((768, 1024), (767, 1023)),
        ((2500, 1000), (1023, 409)),
        ((5000, 3), (1023, 1)),
        ((1, 2100), (1, 1023)),
        ((1, 1), (1, 1)),
        ((40, 30), (40, 30)),
    ],
)
def test_long_side_is_at_most_1023_and_small_pictures_keep_their_size(
    size: tuple[int, int], result: tuple[int, int]
) -> None:
    picture = normalise(pictures.encoded(Image.new("RGB", size, GREEN), "PNG"))
    assert (picture.width, picture.height) == result
    assert picture.source_size == size
    assert np.abs(picture.pixels.astype(int) - GREEN).max() == 0


@pytest.mark.parametrize("size", [(4032, 3024), (2048, 1536), (1500, 1000), (6000, 400), (3, 3000), (8200, 8)])
def test_large_jpeg_is_scaled_without_cropping(size: tuple[int, int]) -> None:
    picture = normalise(pictures.encoded(pictures.quarters(*size), "JPEG", quality=60))
    assert 900 <= max(picture.width, picture.height) <= 1023
    assert picture.source_size == size
    wanted = min(size) / max(size) * max(picture.width, picture.height)
    assert abs(min(picture.width, picture.height) - max(1, wanted)) <= 1
    if min(size) > 8:
        looks_like(picture.pixels, RED, GREEN, BLUE, YELLOW)


def test_scaling_causes_no_moire() -> None:
    """A fine checkerboard must become an even grey."""
    board = Image.fromarray(((np.indices((1800, 1800)).sum(axis=0) % 2) * 255).astype(np.uint8))
    picture = normalise(pictures.encoded(board, "PNG"), PictureLimits(max_side=300))
    assert np.abs(picture.pixels.astype(int) - 127).max() <= 2


def test_scaling_comes_close_to_a_lanczos_filter() -> None:
    image = pictures.photo(1700, 1300)
    picture = normalise(pictures.encoded(image, "PNG"))
    reference = np.asarray(image.resize((picture.width, picture.height), Image.Resampling.LANCZOS), float)
    assert 10 * np.log10(255**2 / np.mean((picture.pixels - reference) ** 2)) > 38


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


# Digests and what is stored


def test_files_with_equal_pixels_have_the_same_digest() -> None:
    image = pictures.photo(200, 100)
    png, bmp = normalise(pictures.encoded(image, "PNG")), normalise(pictures.encoded(image, "BMP"))
    assert png.digest == bmp.digest
    assert png.source_digest != bmp.source_digest
    assert len(png.digest) == 64


def test_shape_is_part_of_the_digest() -> None:
    wide = normalise(pictures.encoded(Image.new("RGB", (8, 2), RED), "PNG"))
    square = normalise(pictures.encoded(Image.new("RGB", (4, 4), RED), "PNG"))
    assert wide.digest != square.digest


def test_pixels_are_read_only() -> None:
    for size in ((20, 20), (1100, 500)):
        picture = normalise(pictures.encoded(Image.new("RGB", size), "PNG"))
        with pytest.raises(ValueError, match="read-only"):
            picture.pixels[0, 0, 0] = 1


def test_stored_jpeg_has_no_metadata_and_looks_the_same() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    profile = pictures.matrix_profile(pictures.P3, 2.2)
    image = pictures.photo(600, 400)
    data = pictures.encoded(
        image, "JPEG", exif=exif, xmp=b"<x:xmpmeta>SECRET</x:xmpmeta>", icc_profile=profile, comment=b"SECRET"
    )
    assert b"SECRET" in data
    picture = normalise(data)
    stored = encode_jpeg(picture)
    for trace in (b"SECRET", b"Exif", b"ICC_PROFILE", b"http://ns.adobe.com"):
        assert trace not in stored
    with Image.open(io.BytesIO(stored)) as reopened:
        assert not reopened.getexif()
        assert set(reopened.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    again = decode_stored(stored)
    assert again.pixels.shape == picture.pixels.shape
    assert np.abs(again.pixels.astype(int) - picture.pixels).mean() < 4


def test_text_metadata_of_other_formats_is_dropped() -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "SECRET")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = "SECRET"
    for data in (
        pictures.encoded(pictures.quarters(), "PNG", pnginfo=note),
        pictures.encoded(pictures.quarters(), "TIFF", tiffinfo=tags),
    ):
        assert b"SECRET" in data
        assert b"SECRET" not in encode_jpeg(normalise(data))


def test_default_limits_are_those_of_the_settings() -> None:
    assert PictureLimits(max_bytes=25_000_000, max_pixels=50_000_000, max_side=1023, seconds=10) == DEFAULT_LIMITS
