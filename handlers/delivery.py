"""Replies to Slack, by its three ways: into a thread, to one person in a channel, to a command's author."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.limits import Block
from bot.blocks.reply import Reply

log = logging.getLogger(__name__)

_TOO_MUCH = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})


async def post_in_thread(client: AsyncWebClient, channel: str, thread_ts: str, reply: Reply) -> None:
    """Answer for all to see. Raises SlackApiError."""

    async def post(blocks: list[Block] | None) -> None:
        await client.chat_postMessage(
            channel=channel,
            thread_ts=thread_ts,
            text=reply.text,
            blocks=blocks,
            # An unfurled link of ours would come back to us as a changed message, and pictures would appear twice.
            unfurl_links=False,
            unfurl_media=False,
        )

    try:
        await post(list(reply.blocks))
    except SlackApiError as error:
        if error.response.get("error") not in _TOO_MUCH:
            raise
        log.error("Slack refused the blocks (%s): sending the text alone", error.response.get("error"))  # noqa: TRY400
        await post(None)


async def whisper(client: AsyncWebClient, body: Mapping[str, Any], reply: Reply) -> None:
    """Tell the author of an event, where it happened. Raises SlackApiError."""
    event = body.get("event") or {}
    channel, user = event.get("channel"), event.get("user")
    if not channel or not user:
        return
    thread_ts = event.get("thread_ts") or None
    await client.chat_postEphemeral(
        channel=channel, user=user, thread_ts=thread_ts, text=reply.text, blocks=list(reply.blocks)
    )


async def respond_privately(respond: AsyncRespond, reply: Reply) -> None:
    """Answer a command to its author alone. A response URL takes five of these, within half an hour."""
    answer = await respond(text=reply.text, blocks=list(reply.blocks), response_type="ephemeral")
    if answer.status_code != 200:  # noqa: PLR2004
        log.error("the response URL answered %s", answer.status_code)
