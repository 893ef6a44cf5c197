"""Files that decoders refuse, misread or show in part: each is read right, or refused by its true name."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from bot.domain.errors import PictureRefused
from bot.images.decode.normaliser import Normaliser, PictureLimits, normalise
from bot.images.decode.unusual import detail, jpeg_streams
from tests.fixtures import pictures
from tests.fixtures.deep_pictures import chunk, deep_png, deep_tiff, ramp
from tests.fixtures.pictures import BLUE, GREEN, RED, YELLOW, looks_like

PHOTO = pictures.photo(400, 300)


def refusal(data: bytes) -> str:
    with pytest.raises(PictureRefused) as caught:
        normalise(data)
    return str(caught.value)


# Damage that costs no pixels


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_jpeg_without_its_end_marker_is_read_and_a_shorter_one_is_refused(options: dict[str, Any]) -> None:
    data = pictures.encoded(PHOTO, "JPEG", **options)
    whole = normalise(data)
    for tail in (b"", b"\xff", bytes(300)):
        assert normalise(data[:-2] + tail).digest == whole.digest
    for cut in (40, len(data) // 3, len(data) // 2):
        assert "damaged" in refusal(data[:-cut])
    restarts = [at for at in range(len(data) - 1) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]
    for at in restarts[-3:]:
        assert "damaged" in refusal(data[:at])  # a whole interval, and then nothing


def test_scans_are_not_counted_behind_the_end_of_a_jpeg() -> None:
    data = pictures.encoded(PHOTO, "JPEG", progressive=True)
    assert normalise(data + b"\xff\xda" * 5000).digest == normalise(data).digest
    assert jpeg_streams.count_scans(data, 40) == data.count(b"\xff\xda")


BIG_TEXT = chunk(b"zTXt", b"Raw\0\0" + zlib.compress(bytes(3_000_000)))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Title\0x", crc=1),
        chunk(b"iTXt", b"Title\0\0\0\0\0x", crc=1),
        chunk(b"gAMA", b"\0\0\xb1\x8f", crc=1),
        chunk(b"pHYs", b"", crc=1),
        chunk(b"tIME", b"\0"),
        chunk(b"iCCP", b"broken", crc=1),
        chunk(b"iCCP", b"large\0\0" + zlib.compress(bytes(3_000_000))),
        BIG_TEXT,
    ],
    ids=lambda extra: extra[4:8].decode(),
)
def test_png_with_damage_outside_its_pixels_is_read(extra: bytes) -> None:
    data = pictures.encoded(PHOTO, "PNG")
    assert normalise(data[:33] + extra + data[33:]).digest == normalise(data).digest
    assert normalise(data[:-12] + extra + data[-12:]).digest == normalise(data).digest


# Names of what can't be read


def test_jpegs_that_cannot_be_read_are_refused_by_their_name() -> None:
    data = pictures.encoded(PHOTO, "JPEG")
    frame = data.index(b"\xff\xc0")
    assert "a lossless JPEG" in refusal(data[: frame + 1] + b"\xc3" + data[frame + 2 :])
    assert "12 bits a colour" in refusal(data[: frame + 4] + b"\x0c" + data[frame + 5 :])


# Bitmaps


def test_bitmap_without_file_header_is_read() -> None:
    looks_like(normalise(pictures.encoded(pictures.quarters(), "DIB")).pixels, RED, GREEN, BLUE, YELLOW)


# Animations and pages


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("shade", [0, 255])
def test_frame_that_shows_something_represents_an_animation(kind: str, shade: int) -> None:
    blank = Image.new("RGB", (96, 64), (shade,) * 3)
    dim = Image.blend(blank, pictures.quarters(), 0.08)
    frames = [blank, blank, dim, pictures.quarters(), blank]
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "speed": 10} if kind == "AVIF" else {}
    data = pictures.encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options)
    looks_like(normalise(data).pixels, RED, GREEN, BLUE, YELLOW)


def test_large_animated_webp_is_represented_by_a_frame_that_shows_something() -> None:
    frames = [Image.new("RGB", (1600, 1300)), pictures.quarters(1600, 1300)]
    data = pictures.encoded(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, quality=0, method=0
    )
    looks_like(normalise(data).pixels, RED, GREEN, BLUE, YELLOW)


def document(*pages: Image.Image) -> bytes:
    return pictures.encoded(pages[0], "TIFF", save_all=True, append_images=list(pages[1:]))


def test_pages_of_a_document_count() -> None:
    cover, one, two = PHOTO, pictures.photo(400, 300, seed=1), pictures.photo(400, 300, seed=2)
    first, second = normalise(document(cover, one)), normalise(document(cover, two))
    assert first.digest != second.digest
    assert np.abs(first.pixels.astype(int) - second.pixels).mean() > 10
    assert first.source_size == (400, 300)
    assert normalise(document(cover, one)).digest == first.digest
    assert normalise(document(cover, Image.new("RGB", (400, 300), "white"))).digest == normalise(document(cover)).digest


def test_pages_that_no_sheet_has_room_for_count_too() -> None:
    many = [pictures.photo(40, 30, seed=number) for number in range(70)]
    other = [*many[:-1], pictures.photo(40, 30, seed=99)]
    assert normalise(document(*many)).digest != normalise(document(*other)).digest


async def test_unusual_pictures_are_the_same_in_a_decoder_process() -> None:
    normaliser = Normaliser()
    for data in (document(PHOTO, pictures.photo(300, 400, seed=1)), deep_tiff(ramp(65535, 3), planar=True)):
        assert (await normaliser.picture(data)).digest == normalise(data).digest
    await normaliser.close()


# Detail


def test_picture_of_one_colour_is_flat() -> None:
    noise = np.random.default_rng(1).integers(-5, 6, (300, 400, 3))
    assert detail.is_flat((128 + noise).astype(np.uint8))
    word = np.full((300, 400, 3), 255, np.uint8)
    word[100:110, 50:90] = 0
    assert not detail.is_flat(word)
    assert not detail.is_flat(np.asarray(pictures.quarters()))


def test_text_of_pngs_still_turns_a_picture() -> None:
    """Only where a PNG can't be read with its texts are they left out."""
    exif = Image.Exif()
    exif[0x0112] = 6
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "x" * 1000, zip=True)
    data = pictures.encoded(pictures.quarters(), "PNG", exif=exif.tobytes(), pnginfo=note)
    assert normalise(data).width == 64
    broken = data[:33] + chunk(b"tEXt", b"Title\0x", crc=1) + data[33:]
    assert normalise(broken).width == 64


# Whatever bytes

ODD = [
    document(pictures.photo(48, 40), pictures.photo(40, 48, seed=1)),
    deep_tiff(ramp(4095, 3)),
    deep_tiff(ramp(65535, 3), planar=True, deflate=True),
    deep_png(ramp(4095, 2), 4, bits=12),
    pictures.encoded(Image.new("RGB", (48, 40)), "GIF", save_all=True, append_images=[pictures.photo(48, 40)]),
    pictures.encoded(Image.new("RGB", (48, 40)), "PNG", save_all=True, append_images=[pictures.photo(48, 40)]),
    pictures.encoded(Image.new("RGB", (48, 40)), "WEBP", save_all=True, append_images=[pictures.photo(48, 40)]),
    pictures.encoded(pictures.photo(48, 40), "JPEG", progressive=True)[:-2],
    pictures.encoded(pictures.photo(48, 40), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\1"),
    pictures.encoded(pictures.photo(48, 40), "DIB"),
    pictures.encoded(Image.new("RGBA", (48, 40), (255, 255, 255, 90)), "PNG"),
]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sample=st.sampled_from(ODD),
    cut=st.none() | st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    in_header=st.booleans(),
)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of damage that it tolerates, and the bot logs that
def test_whatever_bytes_give_a_picture_or_a_sentence_and_print_nothing(
    capfd: pytest.CaptureFixture[str],
    sample: bytes,
    cut: float | None,
    flips: list[tuple[float, int]],
    in_header: bool,
) -> None:
    data = bytearray(sample)
    for place, value in flips:
        data[int(place * (min(len(data), 200) if in_header else len(data)))] = value
    if cut is not None:
        del data[int(cut * len(data)) :]
    limits = PictureLimits(max_pixels=2_000_000)
    results = []
    for _ in range(2):
        try:
            results.append(normalise(bytes(data), limits).digest)
        except PictureRefused as error:
            results.append(str(error))
    assert results[0] == results[1]
    assert len(results[0]) == 64 or results[0].endswith(".")
    printed = capfd.readouterr()
    # libtiff prints its errors. TIFFs are decoded in processes that have no standard error.
    assert printed == ("", "") or bytes(data[:2]) in {b"II", b"MM"}
