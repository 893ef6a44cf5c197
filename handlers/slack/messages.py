"""Messages in Slack: their permalinks, and reading them again for their pictures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import RetryLater
from handlers.parsing.payloads import FileState, SharedFile, pictures_of, unfurled
from handlers.parsing.payloads.common import items, mapping, text
from handlers.slack_errors import UNREACHABLE, reason_of, retry_later

log = logging.getLogger(__name__)

HISTORY_READ = 50
HISTORY_TIMEOUT_S = 5.0

UNFURL_DELAYS_S = (0.0, 1.0, 1.5, 2.0)
"""Delays between looks at a message while Slack makes the preview of its link.

Together with the delay before the answer's own sign of life, they stay below 10 s.
"""

IDENTITY_TTL_S = 3600
IDENTITIES = 1000

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[None]]


async def permalink(client: AsyncWebClient, channel: str, message_ts: str) -> str:
    """Return the permalink of a message, or an empty string if Slack doesn't answer."""
    try:
        answer = await client.chat_getPermalink(channel=channel, message_ts=message_ts)
    except UNREACHABLE as error:
        log.info("chat.getPermalink: %s", reason_of(error))
        return ""
    return str(answer.get("permalink") or "")


async def try_read_message(client: AsyncWebClient, channel: str, ts: str) -> Mapping[str, Any]:
    """Return a message, also one in a thread; nothing if Slack doesn't give it soon."""
    try:
        async with asyncio.timeout(HISTORY_TIMEOUT_S):
            return await _fetch_message(client, channel, ts)
    except UNREACHABLE as error:
        log.info("conversations.replies: %s", reason_of(error))
        return {}


async def read_message(client: AsyncWebClient, channel: str, ts: str) -> Mapping[str, Any]:
    """Return a message as Slack has it now; nothing if it is gone or not for the bot. Raises RetryLater."""
    try:
        return await _fetch_message(client, channel, ts)
    except SlackApiError as error:
        if problem := retry_later(error):
            raise problem from error
        return {}
    except UNREACHABLE as error:
        raise RetryLater(f"Slack can't be reached ({type(error).__name__})") from error


async def _fetch_message(client: AsyncWebClient, channel: str, ts: str) -> Mapping[str, Any]:
    answer = await client.conversations_replies(channel=channel, ts=ts, latest=ts, inclusive=True, limit=1)
    return next((raw for raw in map(mapping, items(answer.get("messages"))) if text(raw.get("ts")) == ts), {})


@dataclass(frozen=True, slots=True)
class MessagePicture:
    """A picture of a message in a channel."""

    picture: SharedFile
    channel: str
    message: str
    thread: str = ""


class MessagePictures:
    """Finds pictures in messages that Slack delivers no event for, or delivered long ago."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._own: TTLCache[str, frozenset[str]] = TTLCache(IDENTITIES, IDENTITY_TTL_S)

    async def newest(self, channel: str, client: AsyncWebClient, after: str = "") -> MessagePicture | None:
        """Return the newest picture of a channel that is newer than ``after``; None if there is none, or no answer."""
        try:
            async with asyncio.timeout(HISTORY_TIMEOUT_S):
                answer = await client.conversations_history(channel=channel, limit=HISTORY_READ, oldest=after or None)
        except UNREACHABLE as error:
            log.info("conversations.history: %s", reason_of(error))
            return None
        for raw in items(answer.get("messages")):
            message = mapping(raw)
            if message.get("bot_id"):
                # The files of bots are ignored, as in channels with a mode.
                message = {**message, "files": []}
            found = _found(message, channel, icons=False)
            if found and not await self._is_own(message, client):
                return found[-1]
        return None

    async def of_thread(self, channel: str, thread: str, client: AsyncWebClient) -> list[MessagePicture]:
        """Return the pictures of the message that began a thread; none if it is the bot's own."""
        message = await try_read_message(client, channel, thread)
        found = _found(message, channel)
        return [] if not found or await self._is_own(message, client) else found

    async def unfurl(self, url: str, channel: str, message_ts: str, client: AsyncWebClient) -> SharedFile | None:
        """Return the picture that Slack shows of a link in a message; None if it shows none soon."""
        if not (channel and message_ts):
            return None
        return await self._look(channel, message_ts, client, partial(unfurled, url=url), UNFURL_DELAYS_S)

    async def of_question(
        self, channel: str, message_ts: str, client: AsyncWebClient, *, has_link: bool
    ) -> tuple[SharedFile, ...]:
        """Return the pictures of a message to the bot that its event lacked, such as that of a link."""
        delays = UNFURL_DELAYS_S if has_link else UNFURL_DELAYS_S[:1]
        return await self._look(channel, message_ts, client, pictures_of, delays) or ()

    async def _look(
        self,
        channel: str,
        message_ts: str,
        client: AsyncWebClient,
        find: Callable[[Mapping[str, Any]], T | None],
        delays: Sequence[float],
    ) -> T | None:
        """Read a message until it shows what is to be found, or any preview, or is gone."""
        for delay in delays:
            await self._sleep(delay)
            message = await try_read_message(client, channel, message_ts)
            if found := find(message):
                return found
            if not message or message.get("attachments"):
                break
        return None

    async def _is_own(self, message: Mapping[str, Any], client: AsyncWebClient) -> bool:
        """Return whether the bot wrote a message. Without an answer from Slack, any app's message may be its own."""
        if not (message.get("bot_id") or message.get("app_id")):
            return False
        author = {text(message.get("user")), text(message.get("bot_id"))} - {""}
        token = client.token or ""
        if token not in self._own:
            try:
                own = await client.auth_test()
            except UNREACHABLE:
                return True
            self._own[token] = frozenset({text(own.get("user_id")), text(own.get("bot_id"))} - {""})
        return not author.isdisjoint(self._own[token])


def _found(message: Mapping[str, Any], channel: str, *, icons: bool = True) -> list[MessagePicture]:
    ts, thread = text(message.get("ts")), text(message.get("thread_ts"))
    pictures = (one for one in pictures_of(message, icons=icons) if one.state is not FileState.GONE)
    return [MessagePicture(picture, channel, ts, thread) for picture in pictures]
