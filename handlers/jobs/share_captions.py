"""Reads what the text beside shared images says to the bot."""

from __future__ import annotations

from dataclasses import replace

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.channels import ChannelKind, ChannelMode
from bot.services.search.lookup import LookupService
from handlers.parsing.grammar import Caption, modifiers_of, parse_caption
from handlers.parsing.payloads import ImageShare
from handlers.replies.known_databases import KnownDatabases


class CaptionReader:
    """Reads captions, and keeps people from naming databases that they may not know of."""

    def __init__(self, lookup: LookupService, known: KnownDatabases) -> None:
        self._lookup = lookup
        self._known = known

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
        caption = parse_caption(message.text, [info.key.name for info in infos])
        if caption.modifiers.database is None:
            return caption
        # For a guest, the name of any other database is prose. An error would reveal that the database exists.
        infos = await self._known.of(message.workspace, message.user, client)
        return parse_caption(message.text, [info.key.name for info in infos])
