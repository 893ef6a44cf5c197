"""Find messages of the bot again by the markers that they carry."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import RetryLater
from handlers.slack.clients import pages
from handlers.slack_errors import UNREACHABLE, code_of, retry_later

log = logging.getLogger(__name__)

REPLIES_PER_PAGE = 200
MAX_PAGES = 5
METADATA_TYPE = "vsearch_answer"


def metadata_of(marker: str) -> dict[str, Any] | None:
    """Return the metadata of a message with this marker; None without a marker."""
    return {"event_type": METADATA_TYPE, "event_payload": {"marker": marker}} if marker else None


def _names(message: Mapping[str, Any], marker: str) -> Iterator[str]:
    """Yield what stands before this marker in a message's metadata or in the ids of its blocks."""
    metadata = message.get("metadata") or {}
    marked = (
        [str((metadata.get("event_payload") or {}).get("marker"))]
        if metadata.get("event_type") == METADATA_TYPE
        else []
    )
    # Answers of earlier versions have no metadata.
    marked += [str(block.get("block_id")) for block in message.get("blocks") or ()]
    for name, _, end in (one.partition(":") for one in marked):
        if end == marker:
            yield name


async def marked_messages(
    client: AsyncWebClient, channel: str, thread_ts: str, since: str, marker: str
) -> Mapping[str, str]:
    """Return the thread's messages since ``since`` that have this marker, as timestamps by what stands before it.

    Returns nothing if the bot may not read the thread. Raises RetryLater if Slack can't be asked now.
    """
    found: dict[str, str] = {}
    thread = {"channel": channel, "ts": thread_ts, "oldest": since, "limit": REPLIES_PER_PAGE}
    try:
        async for answer, _ in pages(client.conversations_replies, MAX_PAGES, **thread, include_all_metadata=True):
            for message in answer.get("messages") or ():
                found.update((name, str(message.get("ts"))) for name in _names(message, marker))
    except SlackApiError as error:
        if later := retry_later(error):
            raise later from error
        # A second answer is better than none.
        log.warning("the thread may not be read (%s): answering, perhaps again", code_of(error))
    except UNREACHABLE as error:
        raise RetryLater("the thread can't be read now") from error
    return found


async def find_marked(client: AsyncWebClient, channel: str, since: str, marker: str) -> str:
    """Return the time of a channel's message since ``since`` that has this marker; empty if there is none.

    Raises RetryLater if Slack can't be asked now.
    """
    try:
        answer = await client.conversations_history(
            channel=channel, oldest=since, limit=REPLIES_PER_PAGE, include_all_metadata=True
        )
    except SlackApiError as error:
        if later := retry_later(error):
            raise later from error
        log.warning("the channel may not be read (%s): posting, perhaps again", code_of(error))
        return ""
    except UNREACHABLE as error:
        raise RetryLater("the channel can't be read now") from error
    messages = answer.get("messages") or ()
    return next((str(message.get("ts")) for message in messages if any(_names(message, marker))), "")
