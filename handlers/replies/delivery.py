"""Sends replies: into a thread, to one person in a channel, in a direct message, or to a response URL."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.blocks.limits import Block
from bot.blocks.messages.fallback import without_pictures
from bot.blocks.reply import Reply
from bot.blocks.wording.errors import DELIVERY_UNKNOWN
from bot.domain.errors import RetryLater, UserError
from handlers.slack.clients import pages
from handlers.slack.proxies import proxy_for
from handlers.slack_errors import UNREACHABLE, code_of, retry_later

log = logging.getLogger(__name__)

RESPONSE_TIMEOUT_S = 10
REPLIES_PER_PAGE = 200
MAX_PAGES = 5
HTTP_OK = 200

_BLOCK_ERRORS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_attachments"})

# Slack sends some refusals with status 200.
_REFUSED = re.compile(r'"ok"\s*:\s*false')

ANSWER_TIMEOUT_S = 30
"""Longest time from the check of a job's lease to the end of the post. The inbox gives a living owner longer than that
before another worker may answer."""

METADATA_TYPE = "vsearch_answer"

Send = Callable[[str, list[Block] | None], Awaitable[Any]]

BeforePost = Callable[[], Awaitable[None]]
"""Called right before each post. It raises an error if the message may not be posted any more."""


async def _allow() -> None:
    """Allow every post."""


_before_post: ContextVar[BeforePost] = ContextVar("before_post", default=_allow)


@contextmanager
def checked_posts(check: BeforePost) -> Iterator[None]:
    """Call ``check`` right before each message that is sent in this context, each attempt with fewer blocks included.

    A message that isn't sent within ANSWER_TIMEOUT_S after its check is given up with TimeoutError.
    """
    token = _before_post.set(check)
    try:
        yield
    finally:
        _before_post.reset(token)


@asynccontextmanager
async def _checked() -> AsyncIterator[None]:
    check = _before_post.get()
    if check is _allow:
        yield
        return
    await check()
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        yield


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A message of the bot. ``is_complete``: Slack took all of its blocks."""

    channel: str
    ts: str
    is_complete: bool = True


class DeliveryUnknown(UserError):
    """It is unknown whether Slack posted the message."""

    def __init__(self) -> None:
        super().__init__(DELIVERY_UNKNOWN)


async def _send(send: Send, reply: Reply) -> bool:
    """Send a reply; if Slack refuses its blocks, send it without pictures, and at last only its text.

    Returns whether Slack took all blocks. Raises SlackApiError.
    """
    for attempt, blocks in enumerate(_variants(reply)):
        try:
            async with _checked():
                await send(reply.text, blocks)
        except SlackApiError as error:
            code = code_of(error)
            if code not in _BLOCK_ERRORS or blocks is None:
                raise
            log.warning("Slack refused the blocks (%s): sending less", code)
        else:
            return attempt == 0
    return False


def _variants(reply: Reply) -> Iterator[list[Block] | None]:
    """Yield all blocks, the blocks without pictures, and None for the text alone."""
    lighter = without_pictures(reply.blocks)
    yield list(reply.blocks)
    if lighter != reply.blocks:
        yield list(lighter)
    yield None


async def post(client: AsyncWebClient, channel: str, reply: Reply, thread_ts: str = "") -> bool:
    """Post a reply to a channel or a thread. Return whether Slack took all of its blocks.

    Raises SlackApiError and network errors.
    """
    return (await post_editable(client, channel, reply, thread_ts)).is_complete


async def post_editable(client: AsyncWebClient, channel: str, reply: Reply, thread_ts: str = "") -> PostedMessage:
    """Post a reply to a channel or a thread. Return the message.

    Raises SlackApiError and network errors.
    """
    posted: list[Mapping[str, Any]] = []

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
            metadata=_metadata(reply.marker),
        )
        posted.append({"channel": answer.get("channel"), "ts": answer.get("ts")})

    is_complete = await _send(send, reply)
    return PostedMessage(str(posted[-1]["channel"] or channel), str(posted[-1]["ts"] or ""), is_complete)


async def post_message(client: AsyncWebClient, channel: str, reply: Reply, thread_ts: str = "") -> str:
    """Post a reply without pictures, and return the message's timestamp. Raises SlackApiError and network errors."""
    async with _checked():
        answer = await client.chat_postMessage(
            channel=channel,
            thread_ts=thread_ts or None,
            text=reply.text,
            blocks=list(reply.blocks),
            unfurl_links=False,
            metadata=_metadata(reply.marker),
        )
    return str(answer.get("ts") or "")


async def post_directly(client: AsyncWebClient, user: str, reply: Reply) -> tuple[str, str]:
    """Post a reply without pictures to a person. Return the conversation and the message's timestamp.

    Raises SlackApiError and network errors.
    """
    async with _checked():
        answer = await client.chat_postMessage(channel=user, text=reply.text, blocks=list(reply.blocks))
    return str(answer.get("channel") or user), str(answer.get("ts") or "")


def _metadata(marker: str) -> dict[str, Any] | None:
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


async def update(client: AsyncWebClient, channel: str, ts: str, reply: Reply) -> bool:
    """Replace a message of the bot by a reply. Return whether Slack took all of its blocks.

    Raises SlackApiError and network errors.
    """

    async def send(text: str, blocks: list[Block] | None) -> None:
        # Without blocks, Slack would keep those of the message.
        await client.chat_update(
            channel=channel, ts=ts, text=text, blocks=blocks or [], metadata=_metadata(reply.marker)
        )

    return await _send(send, reply)


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
        await _send(send, reply)
    except SlackApiError as error:
        log.info("a whisper was refused (%s): writing directly", code_of(error))
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


async def respond(
    response_url: str, reply: Reply, *, public: bool = False, replace: bool = False, thread_ts: str = ""
) -> bool:
    """Send a reply to a response URL, which takes five within 30 minutes. Return whether it took this one.

    Raises DeliveryUnknown.
    """
    body: dict[str, Any] = {
        "text": reply.text,
        "response_type": "in_channel" if public else "ephemeral",
        "replace_original": replace,
    }
    if thread_ts:
        body["thread_ts"] = thread_ts
    status = 0
    for blocks in _variants(reply):
        try:
            async with _checked():
                status, problem = await _send_webhook(
                    response_url, body | ({} if blocks is None else {"blocks": blocks})
                )
        except TimeoutError as error:
            raise DeliveryUnknown from error
        if status == HTTP_OK and not _REFUSED.search(problem):
            return True
        if not any(code in problem for code in _BLOCK_ERRORS):
            break
        log.warning("Slack refused the blocks at a response URL: sending less")
    # The answer's text may repeat the message, so it is not logged.
    log.warning("a response URL answered %s", status)
    if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise DeliveryUnknown
    return False


async def delete_original(response_url: str) -> None:
    """Delete the ephemeral message that a button was pressed in."""
    await _send_webhook(response_url, {"delete_original": True})


async def _send_webhook(response_url: str, body: dict[str, Any]) -> tuple[int, str]:
    """Return status and text of the answer; status 0 if there was none."""
    # No retry after lost connections: Slack may have posted the message already.
    webhook = AsyncWebhookClient(
        response_url, timeout=RESPONSE_TIMEOUT_S, retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=2)]
    )
    webhook.proxy = proxy_for(response_url)
    try:
        answer = await webhook.send_dict(body)
    except UNREACHABLE as error:
        log.warning("a response URL did not answer (%s)", type(error).__name__)
        return 0, ""
    return answer.status_code, answer.body
