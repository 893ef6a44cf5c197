"""Fetches the pictures that search states name, and looks them up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.wording.images import NO_IMAGE_YET, NOT_AN_IMAGE
from bot.domain.errors import FetchRefused, InvalidInput
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.domain.pictures import Picture
from bot.images.memory import on_behalf_of
from bot.images.parts import cut
from bot.services.search.lookup import LookupResult, LookupService
from bot.services.search.search import Readers
from bot.storage.ports.inbox import Inbox
from handlers.parsing.payloads import FileState, SharedFile, decode_share, parse_file
from handlers.slack.files import HoldMemory, PictureReader, SharedFileReader
from handlers.slack_errors import UNREACHABLE

T = TypeVar("T")

MAX_MATCHES = 50
"""Matches of every search, so that “Show more” finds them in the result cache."""

HISTORY_READ = 50

FetchUrl = Callable[[str], Awaitable[bytes]]
"""Returns the bytes at a URL that a person gave. Raises FetchRefused."""


class PictureFinder:
    """Reads and looks up the pictures that states name."""

    def __init__(
        self,
        lookup: LookupService,
        files: SharedFileReader,
        reader: PictureReader,
        fetch: FetchUrl,
        inbox: Inbox,
        *,
        hold_memory: HoldMemory = nullcontext,
    ) -> None:
        self._lookup = lookup
        self._files = files
        self._reader = reader
        self._fetch = fetch
        self._inbox = inbox
        self._hold_memory = hold_memory

    async def picture(self, state: SearchState, client: AsyncWebClient) -> Picture:
        """Return the picture, or the part of it that the state names. Raises FetchRefused, PictureRefused."""
        whole, region = await self._read(state, client, self._reader.picture), state.region
        return whole if region is None else await asyncio.to_thread(cut, whole, region)

    async def picture_and_jpeg(self, state: SearchState, client: AsyncWebClient) -> tuple[Picture, bytes]:
        """Return the picture, and the JPEG to store. Raises FetchRefused, PictureRefused."""
        return await self._read(state, client, self._reader.picture_and_jpeg)

    async def file_name(self, state: SearchState, client: AsyncWebClient) -> str:
        """Return the name of a search's file, or an empty string if it has none. Raises FetchRefused."""
        return (await self._files.resolve(SharedFile(state.file, FileState.STUB), client)).name

    async def _read(self, state: SearchState, client: AsyncWebClient, decode: Callable[[bytes], Awaitable[T]]) -> T:
        if state.url:
            async with self._hold_memory():
                return await decode(await self._fetch(state.url))
        file = await self._files.resolve(SharedFile(state.file, FileState.STUB), client)
        if not file.may_be_image:
            raise FetchRefused(NOT_AN_IMAGE)
        return await self._files.read(file, client.token or "", decode)

    async def look_up(
        self,
        workspace: WorkspaceId,
        states: Sequence[SearchState],
        client: AsyncWebClient,
        readers: Readers | None = None,
    ) -> tuple[LookupResult, ...]:
        """Look pictures up in the database and with the minimum score of the first state.

        ``readers`` says what the readers of the answer may see.
        """
        first = states[0]
        key = DatabaseKey(workspace, DatabaseName(first.database))
        pictures = [(state.name, partial(self.picture, state, client)) for state in states]
        with on_behalf_of(workspace):
            return await self._lookup.look_up(key, pictures, limit=MAX_MATCHES, minimum=first.minimum, readers=readers)

    async def refine(
        self,
        workspace: WorkspaceId,
        states: Sequence[SearchState],
        results: Sequence[LookupResult],
        readers: Readers | None = None,
    ) -> tuple[LookupResult, ...] | None:
        """Wait for the texts of pictures that were looked up. Return new answers; None if they change nothing."""
        first = states[0]
        key = DatabaseKey(workspace, DatabaseName(first.database))
        return await self._lookup.refine(key, results, limit=MAX_MATCHES, minimum=first.minimum, readers=readers)

    async def newest(self, workspace: WorkspaceId, channel: str, client: AsyncWebClient) -> SearchState:
        """Return the newest image that was shared in a channel. Raises InvalidInput if there is none."""
        kept = await self._inbox.newest_share(workspace, channel)
        share = decode_share(kept.payload) if kept else None
        if kept and share:
            name = next((file.name for file in share.files if file.id == kept.file), "")
            return SearchState(file=kept.file, name=name, channel=channel, message=share.ts, thread=share.thread_ts)
        return await self._from_history(channel, client)

    async def _from_history(self, channel: str, client: AsyncWebClient) -> SearchState:
        """Return the newest image from before the bot joined.

        Only called if the inbox has none, since Slack allows some apps one such call a minute.
        """
        try:
            answer = await client.conversations_history(channel=channel, limit=HISTORY_READ)
        except UNREACHABLE:
            raise InvalidInput(NO_IMAGE_YET) from None
        for message in answer.get("messages") or ():
            files = [] if message.get("bot_id") else [parse_file(raw) for raw in message.get("files") or ()]
            for file in reversed(files):
                if file is not None and file.may_be_image and file.state is not FileState.GONE:
                    return SearchState(file=file.id, name=file.name, channel=channel, message=message.get("ts", ""))
        raise InvalidInput(NO_IMAGE_YET)
