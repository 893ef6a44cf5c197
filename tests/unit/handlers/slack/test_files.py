"""Reading shared files that exceed the size limit."""

from __future__ import annotations

import pytest

from bot.domain.errors import PictureRefused
from bot.domain.pictures import Picture
from handlers.parsing.payloads import FileState, SharedFile
from handlers.slack.files import SharedFileReader


async def test_too_large_file_without_rendition_is_refused_without_a_download() -> None:
    async def download(url: str, _token: str) -> bytes:
        raise AssertionError(url)

    async def decode(_content: bytes) -> Picture:
        raise AssertionError

    files = SharedFileReader(download, max_bytes=25_000_000)
    large = SharedFile("F1", FileState.READY, "large.png", "image/png", 26_000_000, "https://files.slack.com/large.png")
    with pytest.raises(PictureRefused, match="larger than 25 MB"):
        await files.read(large, "xoxb-1", decode)
