"""``/vsearch``: acknowledged at once, then answered to its author through the response URL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond

from bot.blocks.notices import databases_reply, help_reply, no_database_reply
from bot.blocks.reply import Reply
from bot.blocks.results import pictures_reply
from bot.models import Picture
from bot.services.lookup import LookupService, NoDatabase
from handlers import delivery, grammar
from handlers.payloads import CommandRequest, parse_command

ReadUrl = Callable[[str], Awaitable[Picture]]
"""Fetches and verifies the picture at an address that a user gave. Raises FetchRefused, PictureRefused."""


class CommandListener:
    """What a slash command starts."""

    def __init__(self, lookup: LookupService, read_url: ReadUrl) -> None:
        self._lookup = lookup
        self._read_url = read_url

    async def on_command(self, ack: AsyncAck, body: Mapping[str, Any], respond: AsyncRespond) -> None:
        """Any ``/vsearch …``."""
        await ack()
        request = parse_command(body)
        if request is None:
            return
        await delivery.respond_privately(respond, await self._answer(request))

    async def _answer(self, request: CommandRequest) -> Reply:
        match grammar.parse(request.text):
            case grammar.Search() as wanted:
                return await self._search(request, wanted)
            case grammar.ListDatabases():
                return databases_reply(await self._lookup.databases(request.workspace))
            case grammar.Help(problem):
                return help_reply(problem)

    async def _search(self, request: CommandRequest, wanted: grammar.Search) -> Reply:
        try:
            database = await self._lookup.choose(request.workspace, wanted.database)
        except NoDatabase:
            return no_database_reply()
        pictures = [("", partial(self._read_url, wanted.url))]
        looked = await self._lookup.look_up(database, pictures, limit=wanted.limit, minimum=wanted.minimum)
        return pictures_reply(looked)
