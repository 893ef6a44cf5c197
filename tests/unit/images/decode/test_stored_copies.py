"""Stored copies: larger than what is compared, as far as the memory budget allows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bot.images.decode.normaliser import CHILD_BYTES, Normaliser, PictureLimits, decode_stored, normalise
from bot.images.decode.plan import plan
from tests.fixtures import pictures
from tests.fixtures.pictures import BLUE, GREEN, RED, YELLOW, looks_like


@pytest.mark.parametrize(
    ("kind", "size", "stored"),
    [
        ("JPEG", (3000, 2250), (2048, 1536)),
        ("JPEG", (1500, 900), (1500, 900)),
        ("JPEG", (900, 600), (900, 600)),
        ("PNG", (3000, 1500), (2048, 1024)),
        ("WEBP", (2600, 1300), (2048, 1024)),
        ("TIFF", (2100, 700), (2048, 683)),
    ],
)
async def test_stored_copy_is_larger_than_what_is_compared(
    kind: str, size: tuple[int, int], stored: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = pictures.encoded(pictures.quarters(*size), kind, exif=exif.tobytes())
    normaliser = Normaliser(PictureLimits(stored_side=2048))
    picture, jpeg = await normaliser.picture_and_jpeg(data)
    await normaliser.close()
    plain = normalise(data)
    assert (picture.digest, picture.source_size) == (plain.digest, plain.source_size)
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == stored[::-1]
        looks_like(np.asarray(image), BLUE, RED, YELLOW, GREEN)
    again = decode_stored(jpeg)
    assert max(again.width, again.height) <= 1023


async def test_documents_are_stored_large_too() -> None:
    first, second = pictures.photo(1000, 1400), pictures.photo(1000, 1400, seed=1)
    data = pictures.encoded(first, "TIFF", save_all=True, append_images=[second])
    normaliser = Normaliser(PictureLimits(stored_side=2048))
    picture, jpeg = await normaliser.picture_and_jpeg(data)
    await normaliser.close()
    assert picture.digest == normalise(data).digest
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == (2000, 1400)


async def test_stored_copy_is_smaller_where_memory_is_short() -> None:
    data = pictures.encoded(Image.new("RGB", (4000, 4000), RED), "TIFF", compression="tiff_adobe_deflate")
    limits = PictureLimits(stored_side=4096)
    memory = plan(data, PictureLimits()).memory + CHILD_BYTES + len(data) + 1_000_000
    assert plan(data, limits).memory > memory
    normaliser = Normaliser(limits, memory=memory)
    _, jpeg = await normaliser.picture_and_jpeg(data)
    await normaliser.close()
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == (1023, 1023)
