"""What Slack knows of channels and people, asked seldom: who can read a channel, who is an admin."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

T = TypeVar("T")

KINDS_TTL_S = 300
MEMBERS_TTL_S = 60
"""Somebody who was removed from a channel sees its pictures for no longer than this."""

CACHE_SIZE = 10_000
MEMBERS_PER_PAGE = 1000
MAX_PAGES = 20


class DirectoryCache:
    """What was asked lately, of all workspaces."""

    def __init__(self) -> None:
        self._kinds: TTLCache[tuple[WorkspaceId, str], ChannelKind | None] = TTLCache(CACHE_SIZE, KINDS_TTL_S)
        self._members: TTLCache[tuple[WorkspaceId, str], frozenset[str]] = TTLCache(CACHE_SIZE, MEMBERS_TTL_S)
        self._admins: TTLCache[tuple[WorkspaceId, str], bool] = TTLCache(CACHE_SIZE, KINDS_TTL_S)

    def of(self, workspace: WorkspaceId, client: AsyncWebClient) -> SlackDirectory:
        """To ask with this client."""
        return SlackDirectory(workspace, client, self._kinds, self._members, self._admins)


class SlackDirectory:
    """Satisfies ``ChannelDirectory`` and ``MemberDirectory``, for one workspace."""

    def __init__(
        self,
        workspace: WorkspaceId,
        client: AsyncWebClient,
        kinds: TTLCache[tuple[WorkspaceId, str], ChannelKind | None],
        members: TTLCache[tuple[WorkspaceId, str], frozenset[str]],
        admins: TTLCache[tuple[WorkspaceId, str], bool],
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._kinds = kinds
        self._members = members
        self._admins = admins

    async def kind(self, channel: str, known: ChannelKind) -> ChannelKind:
        """Who can read a channel now. ``known``, which was true once, stands where Slack doesn't say."""
        if not channel:
            return known
        try:
            found = await _cached(self._kinds, (self._workspace, channel), lambda: self._ask_kind(channel))
        except SlackApiError as error:
            if code_of(error) == "channel_not_found" and known is ChannelKind.PUBLIC:
                # Every public channel can be asked about: this one has become private, or is gone.
                return ChannelKind.PRIVATE
            log.info("conversations.info: %s", code_of(error))
            return known
        except UNREACHABLE as error:
            log.warning("conversations.info failed: %s", type(error).__name__)
            return known
        return found or known

    async def audience(self, channel: str, known: ChannelKind) -> ChannelKind:
        """As ``kind``, for what all of a channel will see: where Slack doesn't say, outsiders may be among them."""
        try:
            found = await _cached(self._kinds, (self._workspace, channel), lambda: self._ask_kind(channel))
        except SlackApiError as error:
            # A stand-in that has no such method has no Slack Connect either.
            return known if code_of(error) == "unknown_method" else ChannelKind.SHARED
        except UNREACHABLE:
            return ChannelKind.SHARED
        return found or known

    async def can_read(self, channel: str, user: str) -> bool:
        """Whether the person is in the channel. Raises what the client raises."""
        key = (self._workspace, channel)
        return user in await _cached(self._members, key, lambda: self._ask_members(channel))

    async def is_bot_member(self, channel: str) -> bool:
        """Whether the bot is in the channel; yes, where Slack doesn't say."""
        try:
            about = (await self._client.conversations_info(channel=channel)).get("channel")
        except SlackApiError as error:
            # Of a private channel that it isn't in, the bot knows nothing.
            return code_of(error) != "channel_not_found"
        except UNREACHABLE:
            return True
        return not isinstance(about, Mapping) or about.get("is_member") is not False

    async def can_read_or_no(self, channel: str, user: str) -> bool:
        """As ``can_read``; no, where Slack doesn't say."""
        try:
            return await self.can_read(channel, user)
        except UNREACHABLE as error:
            log.info("conversations.members failed: %s", type(error).__name__)
            return False

    async def is_admin(self, user: str) -> bool:
        """Whether the person is an admin or an owner of the workspace; no, where Slack doesn't say."""
        try:
            return await _cached(self._admins, (self._workspace, user), lambda: self._ask_admin(user))
        except UNREACHABLE as error:
            log.info("users.info failed: %s", type(error).__name__)
            return False

    async def _ask_kind(self, channel: str) -> ChannelKind | None:
        return kind_of((await self._client.conversations_info(channel=channel)).get("channel"))

    async def _ask_members(self, channel: str) -> frozenset[str]:
        members: set[str] = set()
        cursor = ""
        for _ in range(MAX_PAGES):
            answer = await self._client.conversations_members(channel=channel, limit=MEMBERS_PER_PAGE, cursor=cursor)
            members.update(member for member in answer.get("members") or () if isinstance(member, str))
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return frozenset(members)

    async def _ask_admin(self, user: str) -> bool:
        about = (await self._client.users_info(user=user)).get("user") or {}
        return any(about.get(flag) is True for flag in ("is_admin", "is_owner", "is_primary_owner"))


def kind_of(channel: object) -> ChannelKind | None:
    """Who can read a channel, by Slack's description of it; None if that doesn't say."""
    about: Mapping[str, Any] = channel if isinstance(channel, Mapping) else {}
    flags = {name for name, value in about.items() if value is True}
    if flags & {"is_shared", "is_ext_shared", "is_org_shared"}:
        return ChannelKind.SHARED
    if flags & {"is_im", "is_mpim"}:
        return ChannelKind.DIRECT
    if flags & {"is_private", "is_group"}:
        return ChannelKind.PRIVATE
    return ChannelKind.PUBLIC if about.get("is_private") is False or "is_channel" in flags else None


async def _cached(
    cache: TTLCache[tuple[WorkspaceId, str], T], key: tuple[WorkspaceId, str], ask: Callable[[], Awaitable[T]]
) -> T:
    """The answer that is remembered, or a fresh one."""
    try:
        return cache[key]
    except KeyError:
        cache[key] = answer = await ask()
        return answer
