"""Reading shared files: the size limit, and the memory that a download holds."""

from __future__ import annotations

import pytest

from bot.domain.errors import PictureRefused
from bot.domain.pictures import Picture
from bot.images.memory import DownloadMemory
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


async def test_memory_is_held_before_the_download_and_until_the_picture_is_decoded() -> None:
    memory, steps = DownloadMemory(100, 50), []

    async def download(_url: str, _token: str) -> bytes:
        steps.append(memory.used)
        return b"picture"

    async def decode(content: bytes) -> bytes:
        steps.append(memory.used)
        return content

    files = SharedFileReader(download, max_bytes=50, hold_memory=memory.hold)
    file = SharedFile("F1", FileState.READY, "a.png", "image/png", 7, "https://files.slack.com/a.png")
    assert await files.read(file, "xoxb-1", decode) == b"picture"
    assert steps == [50, 50]
    assert memory.used == 0
