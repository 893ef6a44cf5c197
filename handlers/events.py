"""Images that people share: looked up, and answered in their thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cachetools import LRUCache
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.notices import no_database_reply, several_databases_reply
from bot.blocks.results import pictures_reply
from bot.errors import FetchRefused
from bot.models import DatabaseKey, Picture
from bot.services.lookup import LookupService, NoDatabase, SeveralDatabases
from handlers import delivery
from handlers.guard import Guard
from handlers.payloads import ImageShare, SharedFile, parse_share
from handlers.shared_files import SharedFiles

SHARE_LIMIT = 5
"""Matches in an answer that nobody asked for by name: enough to see, not enough to fill the screen."""


CHANNELS_REMEMBERED = 10_000


class ShareListener:
    """What a message with files starts."""

    def __init__(self, lookup: LookupService, files: SharedFiles, guard: Guard) -> None:
        self._lookup = lookup
        self._files = files
        self._guard = guard
        self._offered: LRUCache[tuple[str, str], bool] = LRUCache(CHANNELS_REMEMBERED)

    async def on_message(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Any message; all but people's shares of images end here."""
        share = parse_share(body)
        if share is None or not self._is_new(share):
            return
        files = await asyncio.gather(*(self._resolve(file, client) for file in share.files))
        wanted = [file for file in files if isinstance(file, Unresolved) or file.may_be_image]
        database = await self._choose(share, client) if wanted else None
        if database is None:
            return
        pictures = [(file.name, partial(self._read, file, client)) for file in wanted]
        looked = await self._lookup.look_up(database, pictures, limit=SHARE_LIMIT)
        # What never claimed to be an image and turned out not to be one is no business of ours.
        told = [
            one
            for one, file in zip(looked, wanted, strict=True)
            if one.found or isinstance(file, Unresolved) or file.claims_to_be_image
        ]
        if told:
            await delivery.post_in_thread(client, share.channel, share.reply_to, pictures_reply(told))

    def _is_new(self, share: ImageShare) -> bool:
        """Slack repeats what it is unsure of, and sends one share once for each subscription that it fits."""
        where = (share.workspace, share.channel, share.ts)
        event = [("event", share.event_id)] if share.event_id else []
        return self._guard.first_time(*event, *((*where, file.id) for file in share.files))

    async def _resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile | Unresolved:
        try:
            return await self._files.resolve(file, client)
        except FetchRefused as error:
            return Unresolved(file.name, str(error))

    async def _read(self, file: SharedFile | Unresolved, client: AsyncWebClient) -> Picture:
        if isinstance(file, Unresolved):
            raise FetchRefused(file.problem)
        return await self._files.picture(file, client.token or "")

    async def _choose(self, share: ImageShare, client: AsyncWebClient) -> DatabaseKey | None:
        try:
            return await self._lookup.choose(share.workspace)
        except NoDatabase:
            offer = no_database_reply()
        except SeveralDatabases as error:
            offer = several_databases_reply(error.databases)
        channel = (share.workspace, share.channel)
        if channel not in self._offered:
            self._offered[channel] = True
            await delivery.post_in_thread(client, share.channel, share.reply_to, offer)
        return None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A file that Slack would not describe, and the sentence that says so."""

    name: str
    problem: str
