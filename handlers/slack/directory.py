"""A cached directory of channels and members: who can read a channel, and who is an admin."""

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
"""Somebody removed from a channel may still see its pictures for this long."""

CACHE_SIZE = 10_000
MEMBERS_PER_PAGE = 1000
MAX_PAGES = 20


class DirectoryCache:
    """Caches look-ups in all workspaces."""

    def __init__(self) -> None:
        self._kinds: TTLCache[tuple[WorkspaceId, str], ChannelKind | None] = TTLCache(CACHE_SIZE, KINDS_TTL_S)
        self._members: TTLCache[tuple[WorkspaceId, str], frozenset[str]] = TTLCache(CACHE_SIZE, MEMBERS_TTL_S)
        self._admins: TTLCache[tuple[WorkspaceId, str], bool] = TTLCache(CACHE_SIZE, KINDS_TTL_S)

    def of(self, workspace: WorkspaceId, client: AsyncWebClient) -> SlackDirectory:
        """Return the directory of one workspace, which looks up what isn't cached with this client."""
        return SlackDirectory(workspace, client, self._kinds, self._members, self._admins)


class SlackDirectory:
    """Implements ``ChannelDirectory`` and ``MemberDirectory`` for one workspace."""

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
        """Return who can read a channel now, or ``known``, the stored kind, if Slack doesn't answer."""
        if not channel:
            return known
        try:
            found = await _cached(self._kinds, (self._workspace, channel), lambda: self._fetch_kind(channel))
        except SlackApiError as error:
            if code_of(error) == "channel_not_found" and known is ChannelKind.PUBLIC:
                # conversations.info finds every public channel, so this one has become private or was deleted.
                return ChannelKind.PRIVATE
            log.info("conversations.info: %s", code_of(error))
            return known
        except UNREACHABLE as error:
            log.warning("conversations.info failed: %s", type(error).__name__)
            return known
        return found or known

    async def audience(self, channel: str, known: ChannelKind) -> ChannelKind:
        """Return who will see an answer in a channel. If Slack doesn't answer, assume that outsiders can see it."""
        try:
            found = await _cached(self._kinds, (self._workspace, channel), lambda: self._fetch_kind(channel))
        except SlackApiError as error:
            # A substitute for Slack without this method has no Slack Connect either.
            return known if code_of(error) == "unknown_method" else ChannelKind.SHARED
        except UNREACHABLE:
            return ChannelKind.SHARED
        return found or known

    async def can_read(self, channel: str, user: str) -> bool:
        """Return whether the user is a member of the channel. Raises the client's errors."""
        key = (self._workspace, channel)
        return user in await _cached(self._members, key, lambda: self._fetch_members(channel))

    async def is_bot_member(self, channel: str) -> bool:
        """Return whether the bot is a member of the channel, or True if Slack doesn't answer."""
        try:
            about = (await self._client.conversations_info(channel=channel)).get("channel")
        except SlackApiError as error:
            # The bot can't see a private channel that it isn't a member of.
            return code_of(error) != "channel_not_found"
        except UNREACHABLE:
            return True
        return not isinstance(about, Mapping) or about.get("is_member") is not False

    async def can_read_or_no(self, channel: str, user: str) -> bool:
        """Return whether the user is a member of the channel, or False if Slack doesn't answer."""
        try:
            return await self.can_read(channel, user)
        except UNREACHABLE as error:
            log.info("conversations.members failed: %s", type(error).__name__)
            return False

    async def is_admin(self, user: str) -> bool:
        """Return whether the user is an admin or owner of the workspace, or False if Slack doesn't answer."""
        try:
            return await _cached(self._admins, (self._workspace, user), lambda: self._fetch_admin(user))
        except UNREACHABLE as error:
            log.info("users.info failed: %s", type(error).__name__)
            return False

    async def _fetch_kind(self, channel: str) -> ChannelKind | None:
        return kind_of((await self._client.conversations_info(channel=channel)).get("channel"))

    async def _fetch_members(self, channel: str) -> frozenset[str]:
        members: set[str] = set()
        cursor = ""
        for _ in range(MAX_PAGES):
            answer = await self._client.conversations_members(channel=channel, limit=MEMBERS_PER_PAGE, cursor=cursor)
            members.update(member for member in answer.get("members") or () if isinstance(member, str))
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return frozenset(members)

    async def _fetch_admin(self, user: str) -> bool:
        about = (await self._client.users_info(user=user)).get("user") or {}
        return any(about.get(flag) is True for flag in ("is_admin", "is_owner", "is_primary_owner"))


def kind_of(channel: object) -> ChannelKind | None:
    """Return who can read a channel according to Slack's channel object, or None if it doesn't tell."""
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
    cache: TTLCache[tuple[WorkspaceId, str], T], key: tuple[WorkspaceId, str], fetch: Callable[[], Awaitable[T]]
) -> T:
    """Return the cached value, or fetch it."""
    try:
        return cache[key]
    except KeyError:
        cache[key] = answer = await fetch()
        return answer
