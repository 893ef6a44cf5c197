"""Reads what the text beside shared images says to the bot."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import AddState
from bot.blocks.messages.additions import refused_id_reply
from bot.blocks.reply import Reply
from bot.domain.channels import ChannelKind, ChannelMode
from bot.domain.errors import EntityRefused, UserError
from bot.domain.identifiers import ALL_DATABASES
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.search.lookup import LookupService
from handlers.inbox.share import carried
from handlers.parsing.grammar import Caption, modifiers_of, parse_caption
from handlers.parsing.payloads import ImageShare
from handlers.replies.known_databases import KnownDatabases


class CaptionReader:
    """Reads captions, and keeps people from naming databases that they may not know of."""

    def __init__(self, lookup: LookupService, known: KnownDatabases, channel_settings: ChannelSettingsService) -> None:
        self._lookup = lookup
        self._known = known
        self._channel_settings = channel_settings

    async def read(self, message: ImageShare, mode: ChannelMode, kind: ChannelKind, client: AsyncWebClient) -> Caption:
        """Return what the message's text says. Raises InvalidInput if it asks the bot and has an invalid modifier."""
        # Members of other organisations may not probe for other databases.
        is_guest = kind is ChannelKind.SHARED and message.user_workspace not in {"", message.workspace}
        if message.is_question:
            found = modifiers_of(message.text)
            return Caption(replace(found, database=None) if is_guest else found, "")
        if is_guest or mode is ChannelMode.GUARD:
            # Nobody may evade the guard by naming another database.
            return parse_caption(message.text, ())
        infos = await self._lookup.databases(message.workspace)
        # Images are looked up in all databases, and added to one.
        every = [ALL_DATABASES] if mode is ChannelMode.LOOKUP else []
        caption = parse_caption(message.text, [*every, *(info.key.name for info in infos)])
        if caption.modifiers.database in {None, ALL_DATABASES}:
            return caption
        # For a guest, the name of any other database is prose. An error would reveal that the database exists.
        infos = await self._known.of(message.workspace, message.user, client)
        return parse_caption(message.text, [info.key.name for info in infos])

    async def suggest(self, message: ImageShare, refused: EntityRefused, client: AsyncWebClient) -> Reply:
        """Return why the id in a question can't be used, and a button that adds its images with a similar one."""
        infos = await self._known.of(message.workspace, message.user, client)
        given = parse_caption(message.text, [info.key.name for info in infos]).modifiers
        with contextlib.suppress(UserError):
            binding = await self._channel_settings.get(message.workspace, message.channel)
            database = given.database or (await self._channel_settings.database_of(binding)).name
            await self._known.check(database, message.workspace, message.user, client)
            return refused_id_reply(str(refused), _addition(message, refused, database, given.note))
        return refused_id_reply(str(refused), _addition(message, refused, "", given.note))


def _addition(message: ImageShare, refused: EntityRefused, database: str, note: str | None) -> AddState:
    state = AddState(
        channel=message.channel,
        message=message.ts,
        database=database,
        entity=refused.suggestion,
        note=note or "",
        author=message.user,
    )
    return carried(state, message.files)[0]
