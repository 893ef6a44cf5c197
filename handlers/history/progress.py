"""The message in the channel that shows how far an import is, and which is edited in place."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.messages.history import history_reply
from bot.blocks.reply import with_marker
from bot.blocks.wording import imports as wording
from bot.domain.jobs import NOTICE_BEGUN, HistoryImport, HistoryStatus
from bot.services.channels.history_pace import ReadingPace
from bot.storage.ports.history import HistoryImports
from handlers.parsing.payloads.common import items, mapping, text
from handlers.replies import delivery
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)

EVERY_S = 5.0
"""Shortest time between edits. Slack allows about 50 a minute."""

SEARCHED = 50
"""Newest messages of a channel among which a message that may have been posted is looked for."""

_NAME = "history"


class HistoryProgress:
    """Posts and edits the message of each import. What Slack refuses is logged, and the import goes on."""

    def __init__(self, imports: HistoryImports, calls_per_min: int) -> None:
        self._imports = imports
        self._calls_per_min = calls_per_min
        self._shown: TTLCache[int, tuple[float, HistoryStatus, bool]] = TTLCache(1000, 3600)

    async def show(self, number: int, client: AsyncWebClient) -> None:
        """Show how far an import is, unless it was shown just now."""
        given = await self._imports.get(number)
        if given is None or given.is_catch_up:
            return
        shown_at, *shown = self._shown.get(number, (0.0, None, False))
        # Slack's limit shows with the first page, and says how long the import takes.
        if shown == [given.status, given.is_limited] and time.monotonic() - shown_at < EVERY_S:
            return
        self._shown[number] = (time.monotonic(), given.status, given.is_limited)
        try:
            await self._show(given, client)
            after = await self._imports.get(number)
            if after is not None and after.status is not given.status:
                # Somebody pressed a button meanwhile, and this edit may have come after that of the button.
                await self._show(after, client)
        except UNREACHABLE as error:
            log.warning("the progress of import %d can't be shown: %s", number, reason_of(error))

    async def _show(self, given: HistoryImport, client: AsyncWebClient) -> None:
        pace = ReadingPace.of(is_limited=given.is_limited, calls_per_min=self._calls_per_min)
        estimate = "" if given.is_listed else wording.history_pace(pace.page, pace.messages_per_min)
        marker = f"{given.id}-{given.latest}"
        reply = with_marker(history_reply(given, estimate), marker, _NAME)
        notice = given.notice
        if notice == NOTICE_BEGUN:
            # The process ended while it was posting.
            notice = await self._posted(given, client, f"{_NAME}:{marker}")
        if not notice:
            await self._imports.set_notice(given.id, NOTICE_BEGUN)
            posted = await delivery.post_editable(client, given.channel, reply)
            await self._imports.set_notice(given.id, posted.ts)
            return
        if notice != given.notice:
            await self._imports.set_notice(given.id, notice)
        await delivery.update(client, given.channel, notice, reply)

    async def _posted(self, given: HistoryImport, client: AsyncWebClient, marker: str) -> str:
        """Return the message that an earlier attempt posted, or an empty string."""
        # The newest messages: the process is started again soon.
        try:
            answer = await client.conversations_history(
                channel=given.channel, limit=SEARCHED, include_all_metadata=True
            )
        except SlackApiError as error:
            log.info("conversations.history: %s", reason_of(error))
            return ""
        found = (one for one in map(mapping, items(answer.get("messages"))) if _is_marked(one, marker))
        return next((text(one.get("ts")) for one in found), "")


def _is_marked(message: Mapping[str, Any], marker: str) -> bool:
    first = next((mapping(block) for block in items(message.get("blocks"))), {})
    payload = mapping(mapping(message.get("metadata")).get("event_payload"))
    return first.get("block_id") == marker or payload.get("marker") == marker
