"""Fetches the pictures that search states name, and looks them up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import WITH_TEXT, WITHOUT_TEXT, SearchState
from bot.blocks.wording.images import IMAGE_GONE, NO_IMAGE_YET, NOT_AN_IMAGE
from bot.domain.errors import FetchedWebPage, FetchRefused, InvalidInput
from bot.domain.identifiers import ALL_DATABASES, DatabaseKey, DatabaseName, WorkspaceId
from bot.domain.pictures import Picture
from bot.images.memory import on_behalf_of
from bot.images.parts import cut
from bot.services.search.lookup import LookupResult, LookupService, NoDatabase, SearchScope
from bot.services.search.search_result import Readers
from bot.storage.ports.inbox import Inbox
from bot.storage.ports.pictures import PictureStore
from handlers.inbox.picture_sightings import PictureSightings
from handlers.inbox.share import file_search
from handlers.parsing.payloads import FileState, Mention, SharedFile, decode_share
from handlers.slack.files import HoldMemory, PictureReader, SharedFileReader
from handlers.slack.messages import MessagePicture, MessagePictures

T = TypeVar("T")

MAX_MATCHES = 50
"""Matches of every search, so that “Show more” finds them in the result cache."""


class PictureFinder:
    """Reads and looks up the pictures that states name."""

    def __init__(
        self,
        lookup: LookupService,
        files: SharedFileReader,
        reader: PictureReader,
        inbox: Inbox,
        sightings: PictureSightings,
        *,
        stored: PictureStore,
        hold_memory: HoldMemory = nullcontext,
    ) -> None:
        self._lookup = lookup
        self._files = files
        self._reader = reader
        self._inbox = inbox
        self._stored = stored
        self._hold_memory = hold_memory
        self._sightings = sightings
        self._messages = MessagePictures()

    async def picture(self, state: SearchState, client: AsyncWebClient) -> Picture:
        """Return the picture, or the part of it that the state names. Raises FetchRefused, PictureRefused."""
        whole, region = await self._read(state, client, self._reader.picture), state.region
        return whole if region is None else await asyncio.to_thread(cut, whole, region)

    async def picture_and_jpeg(self, state: SearchState, client: AsyncWebClient) -> tuple[Picture, bytes]:
        """Return the picture, and the JPEG to store. Raises FetchRefused, PictureRefused."""
        return await self._read(state, client, self._reader.picture_and_jpeg)

    async def stored(self, digest: str) -> Picture:
        """Return a stored picture. Raises FetchRefused if it is gone."""
        async with self._hold_memory():
            try:
                jpeg = await self._stored.get(digest)
            except KeyError:
                raise FetchRefused(IMAGE_GONE) from None
            return await self._reader.picture(jpeg)

    async def file_name(self, state: SearchState, client: AsyncWebClient) -> str:
        """Return the name of a search's file, or an empty string if it has none. Raises FetchRefused."""
        return (await self._files.resolve(SharedFile(state.file, FileState.STUB), client)).name

    async def _read(self, state: SearchState, client: AsyncWebClient, decode: Callable[[bytes], Awaitable[T]]) -> T:
        token = client.token or ""
        if state.url:
            link = SharedFile("", FileState.READY, state.name, "image/*", link=state.url)
            try:
                return await self._files.read(link, token, decode)
            except FetchedWebPage:
                preview = await self._messages.unfurl(state.url, state.channel, state.message, client)
                if preview is None:
                    raise
                return await self._files.read_preview(preview, token, decode)
        file = await self._files.resolve(SharedFile(state.file, FileState.STUB), client)
        if not (file.is_shown or file.is_previewed):
            raise FetchRefused(NOT_AN_IMAGE)
        return await self._files.read(file, token, decode, client)

    async def look_up(
        self,
        workspace: WorkspaceId,
        states: Sequence[SearchState],
        client: AsyncWebClient,
        readers: Readers | None = None,
        among: Sequence[DatabaseKey] = (),
    ) -> tuple[LookupResult, ...]:
        """Look pictures up in the database and with the minimum score of the first state.

        ``readers`` says what the readers of the answer may see, and ``among`` which databases ``in:*`` stands for.
        """
        first = states[0]
        pictures = [(state.name, partial(self.picture, state, client)) for state in states]
        with on_behalf_of(workspace):
            return await self._lookup.look_up(
                scope_of(workspace, states, among), pictures, limit=MAX_MATCHES, minimum=first.minimum, readers=readers
            )

    async def refine(
        self,
        workspace: WorkspaceId,
        states: Sequence[SearchState],
        results: Sequence[LookupResult],
        readers: Readers | None = None,
        among: Sequence[DatabaseKey] = (),
    ) -> tuple[LookupResult, ...] | None:
        """Wait for the texts of pictures that were looked up. Return new answers; None if they change nothing."""
        scope, minimum = scope_of(workspace, states, among), states[0].minimum
        return await self._lookup.refine(scope, results, limit=MAX_MATCHES, minimum=minimum, readers=readers)

    async def newest(self, workspace: WorkspaceId, channel: str, client: AsyncWebClient) -> SearchState:
        """Return the newest picture of a channel, whoever posted it. Raises InvalidInput if there is none."""
        kept = await self._inbox.newest_share(workspace, channel)
        share = decode_share(kept.payload) if kept else None
        file = next((one for one in share.files if kept and one.id == kept.file), None) if share else None
        found = None
        # Slack allows some apps one such call a minute.
        if share is None or self._sightings.may_be_newer(workspace, channel, share.ts):
            found = await self._messages.newest(channel, client, after=share.ts if share else "")
        if found is None and share is not None and file is not None:
            found = MessagePicture(file, channel, share.ts, share.thread_ts)
        if found is None:
            raise InvalidInput(NO_IMAGE_YET)
        return _state_of(found)

    async def of_thread(self, channel: str, thread: str, client: AsyncWebClient) -> list[SearchState]:
        """Return the pictures of the message that began a thread; none if it is the bot's own."""
        return [_state_of(found) for found in await self._messages.of_thread(channel, thread, client)]

    async def of_question(self, mention: Mention, client: AsyncWebClient) -> tuple[SharedFile, ...]:
        """Return the pictures of a message to the bot that its event lacked, such as that of a link."""
        has_link = "://" in mention.text
        return await self._messages.of_question(mention.channel, mention.ts, client, has_link=has_link)


def scope_of(workspace: WorkspaceId, states: Sequence[SearchState], among: Sequence[DatabaseKey] = ()) -> SearchScope:
    """Return where and how the pictures of states are looked up, as the first one says. Raises NoDatabase."""
    first = states[0]
    with_text = {WITH_TEXT: True, WITHOUT_TEXT: False}.get(first.text)
    if first.database != ALL_DATABASES:
        return SearchScope((DatabaseKey(workspace, DatabaseName(first.database)),), with_text=with_text)
    if not among:
        raise NoDatabase
    return SearchScope(tuple(among), is_several=True, with_text=with_text)


def _state_of(found: MessagePicture) -> SearchState:
    return replace(file_search(found.picture), channel=found.channel, message=found.message, thread=found.thread)
