"""Pictures lent to the hosted service: size limits, appearance, and short-lived links."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.adapters.showapi.ports import PictureLender
from bot.domain.pictures import Picture
from bot.images.service_jpeg import MAX_BYTES, MAX_SIDE, MIN_SIDE, jpeg_for_service
from bot.media.links import MediaLinks, RelayClaim
from bot.media.relay import LinkPictureLender
from tests.fixtures.pictures import photo

START = datetime(2026, 1, 2, tzinfo=UTC)
LINKS = MediaLinks("https://bücher.example", b"k" * 32, 60, lambda: START)


def picture_of(image: Image.Image) -> Picture:
    return Picture(np.asarray(image.convert("RGB")), "0" * 64, "0" * 64, "PNG", image.size)


def encode_for_relay(picture: Picture) -> Image.Image:
    jpeg = jpeg_for_service(picture)
    assert len(jpeg) <= MAX_BYTES
    return Image.open(io.BytesIO(jpeg), formats=["JPEG"])


@settings(deadline=None)
@given(st.integers(1, 1023), st.integers(1, 1023))
@example(1, 1)
@example(1, 1023)
@example(1023, 1)
@example(128, 1023)
@example(129, 1023)
@example(1023, 1023)
@example(1023, 129)
@example(7, 56)
@example(56, 7)
def test_any_picture_fits_the_limits_of_the_service(width: int, height: int) -> None:
    shown = encode_for_relay(picture_of(Image.new("RGB", (width, height), (30, 180, 60))))
    assert shown.mode == "RGB"
    assert all(MIN_SIDE <= side <= MAX_SIDE for side in shown.size)
    # A picture of one colour keeps that colour, including the margins.
    assert np.abs(np.asarray(shown).astype(int) - (30, 180, 60)).max() <= 3
    # A picture without margins keeps its proportions to within a pixel.
    if max(width, height) * MIN_SIDE <= MAX_SIDE * min(width, height):
        scale = max(1.0, MIN_SIDE / min(width, height))
        assert abs(shown.width - width * scale) <= 1
        assert abs(shown.height - height * scale) <= 1


def test_picture_within_the_limits_keeps_its_size_and_appearance() -> None:
    original = photo(640, 480)
    shown = encode_for_relay(picture_of(original))
    assert shown.size == (640, 480)
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(original).astype(int)).mean() < 4


def test_relayed_picture_is_a_baseline_jpeg_without_metadata() -> None:
    shown = encode_for_relay(picture_of(photo(320, 200)))
    assert not shown.info.get("progressive")
    assert not {"exif", "icc_profile", "comment", "xmp", "photoshop"} & shown.info.keys()


def test_thin_picture_gets_margins_in_the_colour_of_its_edges() -> None:
    image = Image.new("RGB", (1000, 20), (200, 30, 30))
    image.paste((20, 40, 220), (0, 5, 1000, 15))
    shown = np.asarray(encode_for_relay(picture_of(image))).astype(int)
    assert np.abs(shown[10, 500] - (200, 30, 30)).max() <= 12
    assert np.abs(shown[-10, 500] - (200, 30, 30)).max() <= 12
    assert np.abs(shown[shown.shape[0] // 2, 500] - (20, 40, 220)).max() <= 12


def test_quality_is_reduced_until_the_size_fits() -> None:
    rng = np.random.default_rng(7)
    noise = picture_of(Image.fromarray(rng.integers(0, 256, (1023, 1023, 3), dtype=np.uint8)))
    whole = jpeg_for_service(noise)
    assert len(whole) <= MAX_BYTES
    smaller = jpeg_for_service(noise, max_bytes=len(whole) * 2 // 3)
    assert len(smaller) <= len(whole) * 2 // 3
    assert Image.open(io.BytesIO(smaller)).size == (1023, 1023)


class MemoryRelayedPictures:
    """Stores encode_for_relay pictures in memory with their expiry."""

    def __init__(self) -> None:
        self.pictures: dict[str, tuple[bytes, datetime]] = {}

    async def put(self, relay_id: str, jpeg: bytes, expires_at: datetime, picture: str | None = None) -> None:
        self.pictures[relay_id] = jpeg, expires_at

    async def get(self, relay_id: str) -> bytes:
        return self.pictures[relay_id][0]

    async def purge(self) -> None:
        self.pictures.clear()


async def in_a_thread(work: Callable[[], bytes]) -> bytes:
    return await asyncio.to_thread(work)


async def test_lent_picture_can_be_fetched_for_five_minutes() -> None:
    kept, picture = MemoryRelayedPictures(), picture_of(photo(40, 30))
    relay: PictureLender = LinkPictureLender(kept, LINKS, in_a_thread, lambda: START)
    url = await relay.lend(picture)
    assert url.isascii()
    claim = LINKS.read(url.rpartition("/")[2])
    assert isinstance(claim, RelayClaim)
    assert kept.pictures == {claim.relay_id: (jpeg_for_service(picture), START + timedelta(minutes=5))}


async def test_each_lent_picture_has_its_own_link() -> None:
    kept, picture = MemoryRelayedPictures(), picture_of(photo(40, 30))
    relay = LinkPictureLender(kept, LINKS, in_a_thread, lambda: START)
    assert await relay.lend(picture) != await relay.lend(picture)
    assert len(kept.pictures) == 2


async def test_pictures_are_encoded_outside_the_event_loop() -> None:
    works: list[Callable[[], bytes]] = []

    async def run(work: Callable[[], bytes]) -> bytes:
        works.append(work)
        return b"jpeg"

    kept = MemoryRelayedPictures()
    await LinkPictureLender(kept, LINKS, run, lambda: START).lend(picture_of(photo(40, 30)))
    assert len(works) == 1
    assert [jpeg for jpeg, _ in kept.pictures.values()] == [b"jpeg"]
    assert works[0]().startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("size", [(1200, 2000), (3000, 10)])
def test_oversized_pictures_are_reduced(size: tuple[int, int]) -> None:
    shown = encode_for_relay(picture_of(Image.new("RGB", size, "white")))
    assert all(MIN_SIDE <= side <= MAX_SIDE for side in shown.size)
