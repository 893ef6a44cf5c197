"""Permalinks to messages."""

from __future__ import annotations

import logging

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)


async def permalink(client: AsyncWebClient, channel: str, message_ts: str) -> str:
    """Return the permalink of a message, or an empty string if Slack doesn't answer."""
    try:
        answer = await client.chat_getPermalink(channel=channel, message_ts=message_ts)
    except UNREACHABLE as error:
        log.info("chat.getPermalink: %s", code_of(error) if isinstance(error, SlackApiError) else type(error).__name__)
        return ""
    return str(answer.get("permalink") or "")
