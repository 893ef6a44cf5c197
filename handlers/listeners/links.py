"""Links listener: show what a link to the page of an entity leads to, where somebody shares it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.limits import Block
from bot.blocks.messages.listing import entity_preview
from bot.domain.channels import Audience
from handlers.parsing.payloads.links import SharedLinks, parse_links
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.entity_pages import Conversation, EntityPages
from handlers.replies.presenter import AnswerReader
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)


class LinkListener:
    """Shows links to entities as previews, with what everybody in the conversation may see."""

    def __init__(self, dependencies: SlackDependencies, pages: EntityPages) -> None:
        self._dependencies = dependencies
        self._pages = pages

    async def on_shared(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Send previews of the links in a message. A refusal leaves the message as it is."""
        shared = parse_links(body)
        if shared is None:
            return
        unfurls = {
            url: {"blocks": blocks} for url in shared.urls if (blocks := await self._preview(url, shared, client))
        }
        if not unfurls:
            return
        try:
            await client.chat_unfurl(channel=shared.channel, ts=shared.ts, unfurls=unfurls)
        except UNREACHABLE as error:
            # Such as a workspace that didn't grant links:write, or a message that was deleted meanwhile.
            log.info("a link could not be shown: %s", reason_of(error))

    async def _preview(self, url: str, shared: SharedLinks, client: AsyncWebClient) -> list[Block]:
        view = await self._pages.of_url(url, shared.workspace, client, Conversation(shared.channel, shared.kind))
        if view is None:
            return []
        reader = AnswerReader(Audience(shared.workspace, shared.channel, shared.kind), client)
        pictures = await self._dependencies.presenter.pictures(reader, view.images[:1])
        return entity_preview(view.database.name, view.images, pictures, url)
