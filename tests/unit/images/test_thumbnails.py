"""Thumbnails of stored pictures."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image

from bot.domain.errors import FetchFailed
from bot.images.thumbnails import SIDE, PictureDamaged, ThumbnailStore, thumbnail
from tests.fixtures.pictures import encoded, photo

LARGE = encoded(photo(1023, 700, seed=1), "JPEG")


class Pictures:
    def __init__(self) -> None:
        self.stored = {"a": LARGE}

    async def get(self, digest: str) -> bytes:
        return self.stored[digest]


def size(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        return image.size


def test_long_side_is_limited_and_the_aspect_ratio_kept() -> None:
    assert size(thumbnail(LARGE)) == (SIDE, 219)


def test_small_picture_is_unchanged() -> None:
    small = encoded(photo(200, 100, seed=2), "JPEG")
    assert thumbnail(small) is small


async def test_thumbnail_is_cached_but_not_beyond_deletion() -> None:
    made = 0

    async def run(work: Callable[[], bytes]) -> bytes:
        nonlocal made
        made += 1
        return work()

    pictures = Pictures()
    store = ThumbnailStore(pictures, run)
    assert size(await store.get("a"))[0] == SIDE
    await store.get("a")
    assert made == 1
    pictures.stored.clear()
    with pytest.raises(KeyError):
        await store.get("a")


SMALL = encoded(photo(200, 100, seed=2), "JPEG")


@pytest.mark.parametrize(
    "content",
    [b"", b"not a picture", LARGE[: len(LARGE) // 2], SMALL[: len(SMALL) // 2], encoded(photo(64, 48, seed=3), "PNG")],
    ids=["empty", "text", "half of a large one", "half of a small one", "another format"],
)
async def test_damaged_picture_is_logged_and_counts_as_missing(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(work: Callable[[], bytes]) -> bytes:
        return work()

    pictures = Pictures()
    pictures.stored["a"] = content
    with pytest.raises(PictureDamaged):
        await ThumbnailStore(pictures, run).get("a")
    assert "the stored picture a is damaged" in caplog.text


async def test_busy_bot_is_not_taken_for_a_damaged_picture(caplog: pytest.LogCaptureFixture) -> None:
    async def run(_work: Callable[[], bytes]) -> bytes:
        raise FetchFailed("Too many pictures arrived at once.")

    with pytest.raises(FetchFailed):
        await ThumbnailStore(Pictures(), run).get("a")
    assert not caplog.records
