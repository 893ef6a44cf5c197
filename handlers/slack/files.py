"""Files of a message to pictures: resolve what Slack only hinted at, choose the copy, fetch and verify it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.wording.images import FILE_DELETED, FILE_FORBIDDEN, FILE_NOT_VISIBLE, FILE_STILL_PROCESSING
from bot.domain.errors import FetchRefused, PictureRefused
from bot.domain.pictures import Picture
from bot.images.decode import formats
from handlers.parsing.payloads import FileState, SharedFile, parse_file
from handlers.slack_errors import code_of, retry_later

T = TypeVar("T")

STUB_DELAYS_S = (0.5, 1.0, 2.0)
"""Slack needs a moment to look at an upload; after these it is told to the person."""

_REFUSALS = {"file_deleted": FILE_DELETED, "file_not_found": FILE_NOT_VISIBLE}


Download = Callable[[str, str], Awaitable[bytes]]
"""Address and token to the file's bytes. Raises FetchRefused."""

Sleep = Callable[[float], Awaitable[None]]


class PictureReader(Protocol):
    """Bytes to pictures, off the event loop."""

    async def picture(self, data: bytes) -> Picture:
        """The verified picture. Raises PictureRefused."""
        ...

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """The same, and the JPEG that is kept. Raises PictureRefused."""
        ...


class SharedFileReader:
    """Pictures of files that people shared."""

    def __init__(self, download: Download, *, max_bytes: int, sleep: Sleep = asyncio.sleep) -> None:
        self._download = download
        self._max_bytes = max_bytes
        self._sleep = sleep

    async def read(self, file: SharedFile, token: str, decode: Callable[[bytes], Awaitable[T]]) -> T:
        """Fetch and decode a file that was resolved. Raises FetchRefused, PictureRefused."""
        refusal: PictureRefused | None = None
        for url in self._copies(file):
            try:
                return await decode(await self._download(url, token))
            except PictureRefused as error:
                # What we can't decode or is too large, Slack may have made a rendition of. The reason that
                # is told is the first: it is about what the person shared.
                refusal = refusal or error
        raise refusal or PictureRefused(formats.too_many_bytes(self._max_bytes))

    def _copies(self, file: SharedFile) -> tuple[str, ...]:
        """Addresses in the order in which they are tried: the original, then the largest rendition.

        Renditions are smaller to fetch, but recompressed: from the original, the same file gives the same
        digest, a copy is told from an edit, and the fingerprint is exact. So the original comes first while
        it is within our limits.
        """
        original = () if file.size > self._max_bytes else (file.url,)
        return (*original, *file.renditions[:1])

    async def resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile:
        """The file with all that is needed to fetch it. Raises FetchRefused, TryAgain."""
        for delay in (*STUB_DELAYS_S, None):
            if file.state is FileState.STUB:
                file = await _ask(file, client)
            if file.state is FileState.GONE:
                raise FetchRefused(FILE_DELETED)
            if file.state is FileState.READY:
                return file
            if delay is not None:
                await self._sleep(delay)
        if file.url:
            # Without a type, the bytes decide.
            return replace(file, state=FileState.READY)
        raise FetchRefused(FILE_STILL_PROCESSING)


async def _ask(file: SharedFile, client: AsyncWebClient) -> SharedFile:
    try:
        answer = await client.files_info(file=file.id)
    except SlackApiError as error:
        raise retry_later(error) or FetchRefused(_REFUSALS.get(code_of(error), FILE_FORBIDDEN)) from error
    return parse_file(answer.get("file")) or file
