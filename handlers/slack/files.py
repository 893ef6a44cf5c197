"""Read the pictures of shared files: complete partial file objects, choose a copy, download and decode it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Protocol, TypeVar, cast

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.wording.images import (
    FILE_DELETED,
    FILE_FORBIDDEN,
    FILE_NOT_VISIBLE,
    FILE_STILL_PROCESSING,
    no_preview,
)
from bot.domain.errors import FetchFailed, FetchRefused, FetchTooLarge, PictureRefused
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

FetchUrl = Callable[[str], Awaitable[bytes]]
"""Returns the bytes at a URL that a person gave. Raises FetchRefused."""

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


async def _fetch_nothing(_url: str) -> bytes:
    raise FetchRefused(FILE_FORBIDDEN)


class SharedFileReader:
    """Downloads the pictures of messages and decodes them.

    Args:
        download: Downloads a file from Slack.
        max_bytes: Largest file.
        hold_memory: Returns a context that holds memory for one file.
        sleep: Waits for previews.
        fetch: Downloads a picture that a message links to. It gets no token.

    """

    def __init__(
        self,
        download: Download,
        *,
        max_bytes: int,
        hold_memory: HoldMemory = nullcontext,
        sleep: Sleep = asyncio.sleep,
        fetch: FetchUrl = _fetch_nothing,
    ) -> None:
        self._download = download
        self._max_bytes = max_bytes
        self._hold_memory = hold_memory
        self._sleep = sleep
        self._fetch = fetch

    async def read(
        self,
        file: SharedFile,
        token: str,
        decode: Callable[[bytes], Awaitable[T]],
        client: AsyncWebClient | None = None,
    ) -> T:
        """Download and decode a resolved file, or a preview that Slack has of it.

        Args:
            file: The file.
            token: The bot's token.
            decode: Returns the decoded picture. One of a preview says so.
            client: Asks Slack for previews that the file object lacks.

        Raises FetchRefused and PictureRefused, about the file itself if there is no preview.
        """
        refusal: PictureRefused | FetchRefused | None = None
        if original := self._original(file):
            try:
                return await self._read(file, original, token, decode)
            except (PictureRefused, FetchTooLarge) as error:
                refusal = error
            except FetchRefused as error:
                # A link's own preview lies elsewhere. Slack's copies are as far as the file is.
                if not file.link or isinstance(error, FetchFailed):
                    raise
                refusal = error
        if not file.renditions and file.is_previewed and client is not None:
            file = await self._await_previews(file, client)
        for url in file.renditions:
            try:
                return _as_preview(await self._read(file, url, token, decode))
            except (PictureRefused, FetchRefused) as error:
                # Report the first error, because it is about the file that the user shared.
                refusal = refusal or error
        too_large = PictureRefused(formats.too_many_bytes(self._max_bytes))
        raise refusal or (too_large if file.may_be_image else PictureRefused(no_preview(file.name)))

    async def read_preview(self, file: SharedFile, token: str, decode: Callable[[bytes], Awaitable[T]]) -> T:
        """Download and decode a picture that stands for what a link leads to. Raises FetchRefused, PictureRefused."""
        return _as_preview(await self.read(file, token, decode))

    def _original(self, file: SharedFile) -> str:
        """Return the address of the file itself, or an empty string if it is too large or surely no picture.

        Renditions are smaller but recompressed. Only the original gives the same digest for the same file, an exact
        fingerprint, and a reliable distinction between copies and edits.
        """
        return file.link or (file.url if file.may_be_image and file.size <= self._max_bytes else "")

    async def _read(self, file: SharedFile, url: str, token: str, decode: Callable[[bytes], Awaitable[T]]) -> T:
        async with self._hold_memory():
            return await decode(await (self._fetch(url) if file.link else self._download(url, token)))

    async def _await_previews(self, file: SharedFile, client: AsyncWebClient) -> SharedFile:
        """Return the file with its previews, which Slack makes after the upload. Raises FetchRefused and RetryLater."""
        for delay in (0, *STUB_DELAYS_S):
            await self._sleep(delay)
            file = replace(file, renditions=(await _fetch_info(file, client)).renditions)
            if file.renditions:
                break
        return file

    async def resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile:
        """Return the file with all fields that a download needs. Raises FetchRefused and RetryLater."""
        if file.link:
            return file
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


def _as_preview(decoded: T) -> T:
    """Return what was decoded, with pictures that say that they are previews."""
    if isinstance(decoded, Picture):
        return cast("T", replace(decoded, is_preview=True))
    if isinstance(decoded, tuple):
        return cast("T", tuple(map(_as_preview, decoded)))
    return decoded
