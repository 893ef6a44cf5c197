"""Refusals: wrong, oversized and damaged files raise PictureRefused with a message, never another error."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin, TiffTags

from bot.domain.errors import PictureRefused
from bot.domain.pictures import Picture
from bot.images.decode import decoder
from bot.images.decode import normaliser as module
from bot.images.decode.normaliser import Normaliser, PictureLimits, normalise
from tests.fixtures import pictures

SIGN_IN = b"<!DOCTYPE html><html><head><title>Slack</title></head><body>Sign in</body></html>"


def refusal(data: bytes, limits: PictureLimits = module.DEFAULT_LIMITS) -> str:
    with pytest.raises(PictureRefused) as caught:
        normalise(data, limits)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (SIGN_IN, "web page"),
        (b"\xef\xbb\xbf\n  <HTML lang='en'>", "web page"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<svg></svg>", "SVG"),
        (b"PK\x03\x04aaaa", "archive"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
        (b"8BPS\0\1", "Photoshop"),
        (b"hello, this is text", "JPEG, PNG, WebP, GIF, AVIF, HEIC, BMP or TIFF"),
        (b"\0", "isn't a picture"),
        (b"\xff\xd8\xff", "damaged"),
        (b"GIF89a", "damaged"),
        (b"BM", "damaged"),
        (b"RIFF\0\0\0\0WEBP", "damaged"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "damaged"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged"),
    ],
)
def test_wrong_file_is_named_in_the_message(data: bytes, words: str) -> None:
    assert words in refusal(data)


def test_unsupported_formats_are_not_decoded() -> None:
    """Pillow can open these formats, but they are not supported."""
    for kind in ("PPM", "TGA", "ICO", "PCX", "JPEG2000", "DDS"):
        refusal(pictures.encoded(pictures.quarters(64, 64), kind))


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that declares this size but has almost no data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(8000, 8000), (10_000, 9_500), (60_000, 60_000), (50_000_001, 1)])
def test_decompression_bomb_is_refused_by_its_header(width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(decoder, "_decode", must_not_decode)
    assert "megapixels" in refusal(png_of(width, height))


def test_limits_are_named_in_the_message() -> None:
    data = pictures.encoded(pictures.photo(300, 200), "PNG")
    assert "0.05 megapixels" in refusal(data, PictureLimits(max_pixels=50_000))
    assert "0.01 MB" in refusal(data, PictureLimits(max_bytes=10_000))
    assert isinstance(normalise(data, PictureLimits(max_pixels=60_000, max_bytes=len(data))), Picture)


def test_picture_without_pixels_is_refused() -> None:
    refusal(png_of(0, 10))


def test_tiff_with_huge_tiles_is_refused() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (65_000, 65_001):
        tags.tagtype[tag], tags[tag] = TiffTags.LONG, 100_000
    tiff = pictures.encoded(pictures.quarters(), "TIFF", tiffinfo=tags)
    for tag, real in ((65_000, 322), (65_001, 323)):  # Pillow writes no tiles, so write other tags and rename them
        tiff = tiff.replace(tag.to_bytes(2, "little") + b"\4\0", real.to_bytes(2, "little") + b"\4\0")
    assert "100000 × 100000" in refusal(tiff)


def test_progressive_jpeg_with_too_many_scans_is_refused() -> None:
    data = pictures.encoded(pictures.photo(64, 64), "JPEG", progressive=True)
    normalise(data)
    last = data.rindex(b"\xff\xda")
    assert "scans" in refusal(data[:-2] + data[last:-2] * 50 + data[-2:])


def test_only_the_first_of_many_frames_is_decoded() -> None:
    frames = [Image.new("L", (40, 40), shade % 256) for shade in range(600)]
    data = pictures.encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert normalise(data).pixels.max() == 0


SAMPLES = [
    pictures.encoded(pictures.photo(48, 40), kind, **options)
    for kind, options in (
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "icc_profile": pictures.matrix_profile(pictures.P3, 2.2)}),
        ("PNG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"}),
        ("WEBP", {}),
        ("GIF", {}),
        ("AVIF", {"speed": 10}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("HEIF", {}),
    )
]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sample=st.sampled_from(SAMPLES),
    cut=st.none() | st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    in_header=st.booleans(),
)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of damage that it tolerates
def test_damaged_files_are_decoded_or_refused(
    sample: bytes, cut: float | None, flips: list[tuple[float, int]], in_header: bool
) -> None:
    data = bytearray(sample)
    span = min(len(data), 200) if in_header else len(data)
    for location, value in flips:
        data[int(location * span)] = value
    if cut is not None:
        del data[int(cut * len(data)) :]
    try:
        picture = normalise(bytes(data), PictureLimits(max_pixels=2_000_000))
    except PictureRefused:
        return
    assert 1 <= max(picture.pixels.shape[:2]) <= 1023


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    refusal(data)


# Off the event loop


async def test_normaliser_gives_the_same_as_normalise() -> None:
    data = pictures.encoded(pictures.quarters(), "JPEG")
    normaliser = Normaliser()
    picture = await normaliser(data)
    assert picture.digest == normalise(data).digest
    assert await normaliser.jpeg(picture) == module.encode_jpeg(picture)
    with pytest.raises(PictureRefused):
        await normaliser.picture(b"no")
    await normaliser.close()


async def test_passed_executor_stays_open() -> None:
    with ThreadPoolExecutor(1) as executor:
        normaliser = Normaliser(executor=executor)
        await normaliser.picture(pictures.encoded(pictures.quarters(), "PNG"))
        await normaliser.close()
        assert executor.submit(lambda: 5).result() == 5


async def test_slow_decode_is_refused_and_keeps_its_slot_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = normalise(pictures.encoded(pictures.quarters(), "PNG"))
    release, running = threading.Event(), []

    def slow(data: bytes, limits: PictureLimits) -> tuple[Picture, None]:
        running.append(data)
        if data == b"slow":
            release.wait(10)
        return picture, None

    monkeypatch.setattr(module, "normalise_for_storage", slow)
    normaliser = Normaliser(PictureLimits(seconds=0.05), threads=1)
    with pytest.raises(PictureRefused, match=r"longer than 0\.05 seconds"):
        await normaliser.picture(b"slow")
    waiting = asyncio.create_task(normaliser.picture(b"next"))
    await asyncio.sleep(0.1)
    assert running == [b"slow"]
    assert not waiting.done()  # the timeout doesn't include the wait for a slot
    release.set()
    assert await waiting is picture
    await normaliser.close()


async def test_concurrent_decodes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, now, most = threading.Lock(), 0, 0
    picture = normalise(pictures.encoded(pictures.quarters(), "PNG"))

    def counted(*_: object) -> tuple[Picture, None]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.005)
        with lock:
            now -= 1
        return picture, None

    monkeypatch.setattr(module, "normalise_for_storage", counted)
    with ThreadPoolExecutor(8) as executor:
        normaliser = Normaliser(threads=2, executor=executor)
        await asyncio.gather(*(normaliser.picture(b"") for _ in range(12)))
    assert most == 2


def test_heic_support_is_loaded_on_the_first_heic_file() -> None:
    """Importing the module must not load libheif."""
    code = "import sys, bot.images.decode.normaliser; sys.exit('pillow_heif' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
