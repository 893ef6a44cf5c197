"""Read the histories of channels and threads, page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.channels import ChannelKind
from bot.domain.errors import RetryLater
from bot.domain.jobs import LIMITED_PAGE, HistoryPage, NewHistoryImport, PastMessage, message_at, time_of_message
from bot.services.channels.history_pace import PAGE
from handlers.parsing.payloads import ImageShare, encode_share
from handlers.parsing.payloads.common import items, mapping, text
from handlers.parsing.payloads.history import PastPlace, has_replies_after, parse_past_share
from handlers.slack.directory import DirectoryCache
from handlers.slack.messages import read_message
from handlers.slack_errors import UNREACHABLE, CursorExpired, HistoryRefused, code_of, retry_later

THREAD_AGE_S = 7 * 86_400.0
"""Age of threads at the beginning of the time to read: newer ones are searched for replies after it."""

IDENTITY_TTL_S = 3600
IDENTITIES = 1000

_LATEST = "latest:"
_OLDEST = "oldest:"
"""Cursors of our own, for answers that have more but name no cursor."""


@dataclass(frozen=True, slots=True)
class _Answer:
    messages: list[Mapping[str, Any]]
    cursor: str
    has_more: bool


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of a call into HistoryRefused, CursorExpired or RetryLater."""
    try:
        yield
    except SlackApiError as error:
        if later := retry_later(error):
            raise later from error
        code = code_of(error)
        raise (CursorExpired("invalid_cursor") if code == "invalid_cursor" else HistoryRefused(code)) from error
    except UNREACHABLE as error:
        raise RetryLater(f"Slack can't be reached ({type(error).__name__})") from error


async def _call(call: Callable[..., Awaitable[AsyncSlackResponse]], cursor: str, arguments: dict[str, Any]) -> _Answer:
    if cursor.startswith(_LATEST):
        arguments |= {"latest": cursor.removeprefix(_LATEST), "inclusive": False}
    elif cursor.startswith(_OLDEST):
        arguments |= {"oldest": cursor.removeprefix(_OLDEST), "inclusive": False}
    elif cursor:
        arguments["cursor"] = cursor
    with translated():
        answer = await call(**arguments)
    following = text(mapping(answer.get("response_metadata")).get("next_cursor"))
    return _Answer([mapping(raw) for raw in items(answer.get("messages"))], following, answer.get("has_more") is True)


class HistoryReader:
    """Reads pages of histories, whichever end Slack begins with."""

    def __init__(self, directories: DirectoryCache) -> None:
        self._directories = directories
        self._bots: TTLCache[str, str] = TTLCache(IDENTITIES, IDENTITY_TTL_S)

    async def page(
        self, given: NewHistoryImport, client: AsyncWebClient, cursor: str = "", *, is_limited: bool = False
    ) -> HistoryPage:
        """Return a page of a channel's messages. Raises HistoryRefused, CursorExpired and RetryLater."""
        place = await self._place(given, client)
        # Threads that began before may have replies that are to be read.
        begin = max(0.0, time_of_message(given.oldest) - THREAD_AGE_S)
        arguments = {"channel": given.channel, "oldest": message_at(begin) if begin else None, "latest": given.latest}
        asked = LIMITED_PAGE if is_limited else PAGE
        found = await _call(client.conversations_history, cursor, {**arguments, "inclusive": True, "limit": asked})
        times = [text(one.get("ts")) for one in found.messages]
        reached = min(filter(None, times), default="")
        following = found.cursor or (f"{_LATEST}{reached}" if found.has_more and reached else "")
        return HistoryPage(
            self._shares(found.messages, given, place),
            tuple(text(one.get("ts")) for one in found.messages if has_replies_after(one, given.oldest)),
            len(found.messages),
            reached,
            max(times, default=""),
            # A page that ends where the one before it ended would be read for ever.
            "" if following == cursor else following,
            is_limited or (bool(following) and len(found.messages) <= LIMITED_PAGE < asked),
        )

    async def replies(
        self,
        given: NewHistoryImport,
        thread: str,
        client: AsyncWebClient,
        cursor: str = "",
        *,
        is_limited: bool = False,
    ) -> HistoryPage:
        """Return a page of a thread's replies. Raises HistoryRefused, CursorExpired and RetryLater."""
        place = await self._place(given, client)
        asked = LIMITED_PAGE if is_limited else PAGE
        arguments = {"channel": given.channel, "ts": thread, "latest": given.latest, "inclusive": True, "limit": asked}
        arguments["oldest"] = given.oldest or None
        try:
            found = await _call(client.conversations_replies, cursor, arguments)
        except HistoryRefused as error:
            if error.code in {"thread_not_found", "message_not_found"}:
                # It was deleted after the channel was read.
                return HistoryPage()
            raise
        replies = [one for one in found.messages if text(one.get("ts")) != thread]
        newest = max((text(one.get("ts")) for one in replies), default="")
        following = found.cursor or (f"{_OLDEST}{newest}" if found.has_more and newest else "")
        return HistoryPage(
            self._shares(replies, given, place), count=len(replies), cursor="" if following == cursor else following
        )

    async def again(self, given: NewHistoryImport, share: ImageShare, client: AsyncWebClient) -> PastMessage | None:
        """Return a message as Slack has it now, or None if it has no more pictures. Raises RetryLater."""
        found = await read_message(client, share.channel, share.ts)
        return next(iter(self._shares([found], given, await self._place(given, client))), None) if found else None

    def _shares(
        self, messages: list[Mapping[str, Any]], given: NewHistoryImport, place: PastPlace
    ) -> tuple[PastMessage, ...]:
        shares = (
            parse_past_share(one, place) for one in messages if given.oldest < text(one.get("ts")) <= given.latest
        )
        return tuple(
            PastMessage(share.ts, tuple(file.id for file in share.files), encode_share(share))
            for share in shares
            if share is not None
        )

    async def _place(self, given: NewHistoryImport, client: AsyncWebClient) -> PastPlace:
        # If Slack doesn't say who can read the channel, the fewest people see its images.
        kind = await self._directories.of(given.workspace, client).kind(given.channel, ChannelKind.PRIVATE)
        token = client.token or ""
        if token not in self._bots:
            with translated():
                self._bots[token] = text((await client.auth_test()).get("user_id"))
        return PastPlace(given.workspace, given.enterprise, given.channel, kind, self._bots[token])
