"""Post and update messages in a thread, to one person in a channel, or in a direct message."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.limits import Block
from bot.blocks.reply import Reply
from handlers.replies.delivery.attempts import send_reply
from handlers.replies.delivery.markers import metadata_of
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A message of the bot. ``is_complete``: Slack took all of its blocks."""

    channel: str
    ts: str
    is_complete: bool


async def post(client: AsyncWebClient, channel: str, reply: Reply, thread_ts: str = "") -> bool:
    """Post a reply to a channel or a thread. Return whether Slack took all of its blocks.

    Raises SlackApiError and network errors.
    """
    return (await post_editable(client, channel, reply, thread_ts)).is_complete


async def post_editable(client: AsyncWebClient, channel: str, reply: Reply, thread_ts: str = "") -> PostedMessage:
    """Post a reply to a channel, a thread or, by their id, to a person. Return the message.

    Raises SlackApiError and network errors.
    """
    posted: list[tuple[str, str]] = []

    async def send(text: str, blocks: list[Block] | None) -> None:
        answer = await client.chat_postMessage(
            channel=channel,
            thread_ts=thread_ts or None,
            text=text,
            blocks=blocks,
            # Slack would send an unfurled link back as a changed message, and show pictures twice.
            unfurl_links=False,
            unfurl_media=False,
            # Unlike a block's id, this stays if Slack refuses the blocks.
            metadata=metadata_of(reply.marker),
        )
        posted.append((str(answer.get("channel") or channel), str(answer.get("ts") or "")))

    is_complete = await send_reply(send, reply)
    return PostedMessage(*posted[-1], is_complete)


async def update(client: AsyncWebClient, channel: str, ts: str, reply: Reply) -> bool:
    """Replace a message of the bot by a reply. Return whether Slack took all of its blocks.

    Raises SlackApiError and network errors.
    """

    async def send(text: str, blocks: list[Block] | None) -> None:
        # Without blocks, Slack would keep those of the message.
        await client.chat_update(
            channel=channel, ts=ts, text=text, blocks=blocks or [], metadata=metadata_of(reply.marker)
        )

    return await send_reply(send, reply)


async def post_ephemeral(
    client: AsyncWebClient, channel: str, user: str, reply: Reply, thread_ts: str = ""
) -> PostedMessage | None:
    """Post to one person in a channel, or directly if the bot may not post there.

    Return the message if it is one that can be edited. Raises SlackApiError.
    """
    if channel.startswith("D"):
        # Nobody else reads a direct message, and an ephemeral one would be gone when the person comes back.
        return await post_editable(client, channel, reply, thread_ts)

    async def send(text: str, blocks: list[Block] | None) -> None:
        await client.chat_postEphemeral(
            channel=channel, user=user, thread_ts=thread_ts or None, text=text, blocks=blocks
        )

    try:
        await send_reply(send, reply)
    except SlackApiError as error:
        log.info("an ephemeral message was refused (%s): writing directly", code_of(error))
        return await post_editable(client, user, reply)
    return None


async def try_post_ephemeral(
    client: AsyncWebClient, channel: str, user: str, reply: Reply, thread_ts: str = ""
) -> None:
    """Post to one person in a channel. Log a failure instead of raising it."""
    try:
        await post_ephemeral(client, channel, user, reply, thread_ts)
    except UNREACHABLE as error:
        log.warning("could not notify %s: %s", user, type(error).__name__)
