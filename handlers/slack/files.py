"""Read the pictures of shared files: complete partial file objects, choose a copy, download and decode it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
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
"""Delays between calls of files.info while Slack processes an upload. After them, the user is told."""

_REFUSALS = {"file_deleted": FILE_DELETED, "file_not_found": FILE_NOT_VISIBLE}


Download = Callable[[str, str], Awaitable[bytes]]
"""Downloads a URL with a token. Raises FetchRefused."""

HoldMemory = Callable[[], AbstractAsyncContextManager[object]]
"""Returns a context that holds memory for one file. Raises FetchFailed if too many wait."""

Sleep = Callable[[float], Awaitable[None]]


class PictureReader(Protocol):
    """Decodes pictures outside the event loop."""

    async def picture(self, data: bytes) -> Picture:
        """Return the verified picture. Raises PictureRefused."""
        ...

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """Return the verified picture and the JPEG to store. Raises PictureRefused."""
        ...


class SharedFileReader:
    """Downloads shared files and decodes their pictures."""

    def __init__(
        self,
        download: Download,
        *,
        max_bytes: int,
        hold_memory: HoldMemory = nullcontext,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._download = download
        self._max_bytes = max_bytes
        self._hold_memory = hold_memory
        self._sleep = sleep

    async def read(self, file: SharedFile, token: str, decode: Callable[[bytes], Awaitable[T]]) -> T:
        """Download and decode a resolved file. Raises FetchRefused and PictureRefused."""
        refusal: PictureRefused | None = None
        for url in self._copies(file):
            try:
                async with self._hold_memory():
                    return await decode(await self._download(url, token))
            except PictureRefused as error:
                # Slack may have a rendition of a picture that we can't decode or that is too large. Report the first
                # error, because it is about the file that the user shared.
                refusal = refusal or error
        raise refusal or PictureRefused(formats.too_many_bytes(self._max_bytes))

    def _copies(self, file: SharedFile) -> tuple[str, ...]:
        """Return the URLs to try in order: the original if it is within the size limit, then the largest rendition.

        Renditions are smaller but recompressed. Only the original gives the same digest for the same file, an exact
        fingerprint, and a reliable distinction between copies and edits.
        """
        original = () if file.size > self._max_bytes else (file.url,)
        return (*original, *file.renditions[:1])

    async def resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile:
        """Return the file with all fields that a download needs. Raises FetchRefused and RetryLater."""
        for delay in (*STUB_DELAYS_S, None):
            if file.state is FileState.STUB:
                file = await _fetch_info(file, client)
            if file.state is FileState.GONE:
                raise FetchRefused(FILE_DELETED)
            if file.state is FileState.READY:
                return file
            if delay is not None:
                await self._sleep(delay)
        if file.url:
            # The type is unknown, so let the decoder decide.
            return replace(file, state=FileState.READY)
        raise FetchRefused(FILE_STILL_PROCESSING)


async def _fetch_info(file: SharedFile, client: AsyncWebClient) -> SharedFile:
    try:
        answer = await client.files_info(file=file.id)
    except SlackApiError as error:
        raise retry_later(error) or FetchRefused(_REFUSALS.get(code_of(error), FILE_FORBIDDEN)) from error
    return parse_file(answer.get("file")) or file
