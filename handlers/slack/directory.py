"""A cached directory of channels and members: who can read a channel, who is an admin, and who is a guest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.slack.clients import pages
from handlers.slack.guests import GuestRegister, is_guest
from handlers.slack_errors import UNREACHABLE, code_of, reason_of

log = logging.getLogger(__name__)

T = TypeVar("T")

KINDS_TTL_S = 300
MEMBERS_TTL_S = 60
"""Somebody removed from a channel may still see its pictures for this long."""

CACHE_SIZE = 10_000
CONCURRENCY = 8
MEMBERS_PER_PAGE = 1000
MAX_PAGES = 20


@dataclass(frozen=True, slots=True)
class _Members:
    """The members of a channel; ``complete`` is False if the channel has more than were read."""

    users: frozenset[str]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Person:
    """What the bot has to know about a person."""

    is_admin: bool
    is_guest: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Caches:
    """What Slack said, by workspace and channel or user."""

    kinds: TTLCache[tuple[WorkspaceId, str], ChannelKind | None] = field(
        default_factory=lambda: TTLCache(CACHE_SIZE, KINDS_TTL_S)
    )
    members: TTLCache[tuple[WorkspaceId, str], _Members] = field(
        default_factory=lambda: TTLCache(CACHE_SIZE, MEMBERS_TTL_S)
    )
    groups: TTLCache[tuple[WorkspaceId, str], frozenset[str]] = field(
        default_factory=lambda: TTLCache(CACHE_SIZE, KINDS_TTL_S)
    )
    people: TTLCache[tuple[WorkspaceId, str], _Person] = field(
        default_factory=lambda: TTLCache(CACHE_SIZE, KINDS_TTL_S)
    )
    guests: GuestRegister = field(default_factory=GuestRegister)


class DirectoryCache:
    """Caches look-ups in all workspaces."""

    def __init__(self) -> None:
        self._caches = _Caches()

    def of(self, workspace: WorkspaceId, client: AsyncWebClient) -> SlackDirectory:
        """Return the directory of one workspace, which looks up what isn't cached with this client."""
        return SlackDirectory(workspace, client, self._caches)


class SlackDirectory:
    """Implements ``ChannelDirectory`` and ``MemberDirectory`` for one workspace."""

    def __init__(self, workspace: WorkspaceId, client: AsyncWebClient, caches: _Caches) -> None:
        self._workspace = workspace
        self._client = client
        self._caches = caches

    async def kind(self, channel: str, known: ChannelKind) -> ChannelKind:
        """Return who can read a channel now, or ``known``, the stored kind, if Slack doesn't answer."""
        if not channel:
            return known
        try:
            found = await _cached(self._caches.kinds, (self._workspace, channel), lambda: self._fetch_kind(channel))
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

    async def kind_of_message(self, channel: str, said: ChannelKind) -> ChannelKind:
        """Return who can read a new message, whose event says that the channel is of the kind ``said``."""
        found = await self.kind(channel, said)
        # The event is newer than what is cached, so a non-public kind in it wins. Events don't say, however, that
        # workspaces of one organisation share the channel.
        return found if said is ChannelKind.PUBLIC or found is ChannelKind.SHARED else said

    async def audience(self, channel: str, known: ChannelKind) -> ChannelKind:
        """Return who will see an answer in a channel. If Slack doesn't answer, assume that outsiders can see it."""
        try:
            found = await _cached(self._caches.kinds, (self._workspace, channel), lambda: self._fetch_kind(channel))
        except SlackApiError as error:
            # A substitute for Slack without this method has no Slack Connect either.
            return known if code_of(error) == "unknown_method" else ChannelKind.SHARED
        except UNREACHABLE:
            return ChannelKind.SHARED
        return found or known

    async def can_read(self, channel: str, user: str) -> bool:
        """Return whether the user is a member of the channel. Raises the client's errors."""
        person = self._caches.people.get((self._workspace, user))
        if person is not None and person.is_guest and not channel.startswith("D"):
            joined = await self._caches.guests.channels_of(self._workspace, user, self._client)
            if joined is not None:
                return channel in joined
        return user in (await self._members(channel)).users

    async def is_guest(self, user: str) -> bool:
        """Return whether Slack limits the user to certain channels. If Slack doesn't answer, assume that it does."""
        try:
            return (await self._person(user)).is_guest
        except SlackApiError as error:
            # A substitute for Slack without this method has no guests either.
            return code_of(error) != "unknown_method"
        except UNREACHABLE as error:
            log.info("users.info failed: %s", type(error).__name__)
            return True

    async def has_guests(self, channel: str) -> bool:
        """Return whether guests read the channel. If Slack doesn't answer, assume that they do."""
        guests = await self._caches.guests.of(self._workspace, self._client)
        if not guests:
            return guests is None
        try:
            members = await self._members(channel)
        except UNREACHABLE as error:
            log.info("conversations.members failed: %s", type(error).__name__)
            return True
        return not members.complete or not guests.isdisjoint(members.users)

    async def creator(self, channel: str) -> str:
        """Return who created a channel; empty if Slack doesn't tell."""
        try:
            about = (await self._client.conversations_info(channel=channel)).get("channel")
        except UNREACHABLE as error:
            log.info("conversations.info failed: %s", type(error).__name__)
            return ""
        return str(about.get("creator") or "") if isinstance(about, Mapping) else ""

    async def groups_of(self, user: str, groups: Iterable[str]) -> frozenset[str]:
        """Return which of some user groups a person is in, without those of which Slack doesn't tell."""
        found = set()
        for group in groups:
            try:
                place = (self._workspace, group)
                if user in await _cached(self._caches.groups, place, partial(self._fetch_group, group)):
                    found.add(group)
            except UNREACHABLE as error:
                log.info("the members of a user group are unknown: %s", reason_of(error))
        return frozenset(found)

    async def _fetch_group(self, group: str) -> frozenset[str]:
        answer = await self._client.usergroups_users_list(usergroup=group, team_id=self._workspace)
        return frozenset(map(str, answer.get("users") or ()))

    async def is_within(self, channel: str, other: str) -> bool:
        """Return whether all members of a channel are members of another one, as far as Slack tells."""
        try:
            members, others = await self._members(channel), await self._members(other)
        except UNREACHABLE as error:
            log.info("conversations.members failed: %s", type(error).__name__)
            return False
        return members.complete and members.users <= others.users

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

    async def readable(self, channels: Iterable[str], user: str) -> frozenset[str]:
        """Return which of the channels the user can read, without those of which Slack doesn't tell."""
        slots, is_guest = asyncio.Semaphore(CONCURRENCY), await self.is_guest(user)

        async def is_readable(channel: str) -> bool:
            async with slots:
                # Everyone but guests can read public channels without being a member.
                if not is_guest and await self.kind(channel, ChannelKind.PRIVATE) is ChannelKind.PUBLIC:
                    return True
                return await self.can_read_or_no(channel, user)

        wanted = tuple(dict.fromkeys(channels))
        answers = await asyncio.gather(*map(is_readable, wanted))
        return frozenset(channel for channel, answer in zip(wanted, answers, strict=True) if answer)

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
            return (await self._person(user)).is_admin
        except UNREACHABLE as error:
            log.info("users.info failed: %s", type(error).__name__)
            return False

    async def _fetch_kind(self, channel: str) -> ChannelKind | None:
        return kind_of((await self._client.conversations_info(channel=channel)).get("channel"))

    async def _members(self, channel: str) -> _Members:
        return await _cached(self._caches.members, (self._workspace, channel), lambda: self._fetch_members(channel))

    async def _person(self, user: str) -> _Person:
        return await _cached(self._caches.people, (self._workspace, user), lambda: self._fetch_person(user))

    async def _fetch_members(self, channel: str) -> _Members:
        members: set[str] = set()
        is_complete, call = False, self._client.conversations_members
        async for answer, is_last in pages(call, MAX_PAGES, channel=channel, limit=MEMBERS_PER_PAGE):
            members.update(member for member in answer.get("members") or () if isinstance(member, str))
            is_complete = is_last
        return _Members(frozenset(members), is_complete)

    async def _fetch_person(self, user: str) -> _Person:
        about = (await self._client.users_info(user=user)).get("user") or {}
        is_admin = any(about.get(flag) is True for flag in ("is_admin", "is_owner", "is_primary_owner"))
        # An empty object describes nobody. An unknown person counts as a guest.
        return _Person(is_admin, not about or is_guest(about))


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
