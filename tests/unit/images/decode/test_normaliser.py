"""Normalisation: pictures of every format and mode become upright sRGB without metadata."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from bot.images.decode.normaliser import DEFAULT_LIMITS, PictureLimits, decode_stored, encode_jpeg, normalise
from tests.fixtures import pictures
from tests.fixtures.pictures import BLUE, GREEN, RED, YELLOW, looks_like

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


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (255, 16), (600, 400)])
def test_stored_jpeg_is_what_pillow_writes(size: tuple[int, int]) -> None:
    image = pictures.photo(*size)
    picture, expected = normalise(pictures.encoded(image, "PNG")), io.BytesIO()
    Image.fromarray(picture.pixels).save(expected, "JPEG", quality=88)
    with Image.open(expected) as theirs, Image.open(io.BytesIO(encode_jpeg(picture))) as ours:
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


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
