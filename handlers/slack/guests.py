"""A cached register of each workspace's guests, whom Slack limits to certain channels, and of their channels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any
from weakref import WeakValueDictionary

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.identifiers import WorkspaceId
from handlers.slack.clients import pages
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

GUESTS_TTL_S = 600
"""A guest who joined a workspace that had none may be overlooked for this long."""

CHANNELS_TTL_S = 60
"""A guest removed from a channel may still see its pictures for this long."""

FAILURE_TTL_S = 60
CACHE_SIZE = 10_000
PEOPLE_PER_PAGE = 1000
CHANNELS_PER_PAGE = 999
CHANNEL_TYPES = "public_channel,private_channel,mpim"
MAX_PAGES = 20
TOTAL_TIMEOUT_S = 20.0
"""Slack allows some 20 pages a minute, and an answer waits for the first look-up."""


class GuestRegister:
    """The guests of all workspaces, and the channels that they are in."""

    def __init__(self) -> None:
        self._guests: TTLCache[WorkspaceId, frozenset[str]] = TTLCache(CACHE_SIZE, GUESTS_TTL_S)
        self._failed: TTLCache[WorkspaceId, bool] = TTLCache(CACHE_SIZE, FAILURE_TTL_S)
        self._channels: TTLCache[tuple[WorkspaceId, str], frozenset[str] | None] = TTLCache(CACHE_SIZE, CHANNELS_TTL_S)
        self._locks: MutableMapping[WorkspaceId | tuple[WorkspaceId, str], asyncio.Lock] = WeakValueDictionary()

    async def of(self, workspace: WorkspaceId, client: AsyncWebClient) -> frozenset[str] | None:
        """Return the user ids of the workspace's guests, or None if Slack doesn't name them all."""
        lock = self._locks.setdefault(workspace, asyncio.Lock())
        async with lock:
            if (known := self._guests.get(workspace)) is not None:
                return known
            if workspace in self._failed:
                return None
            guests = await _fetch_guests(workspace, client)
            if guests is None:
                self._failed[workspace] = True
            else:
                self._guests[workspace] = guests
            return guests

    async def channels_of(self, workspace: WorkspaceId, user: str, client: AsyncWebClient) -> frozenset[str] | None:
        """Return the channels that a guest is in; none if Slack doesn't answer, and None if it has no such method.

        Slack may leave out channels that the bot isn't in. Guests are in few, and images may come from thousands.
        """
        key = (workspace, user)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if key not in self._channels:
                self._channels[key] = await _fetch_channels(workspace, user, client)
            return self._channels[key]


async def _fetch_channels(workspace: WorkspaceId, user: str, client: AsyncWebClient) -> frozenset[str] | None:
    channels: set[str] = set()
    arguments = {"team_id": workspace, "user": user, "types": CHANNEL_TYPES, "limit": CHANNELS_PER_PAGE}
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT_S):
            async for answer, _ in pages(client.users_conversations, MAX_PAGES, **arguments):
                channels.update(str(about["id"]) for about in answer.get("channels") or ())
    except SlackApiError as error:
        if code_of(error) == "unknown_method":
            return None
        log.warning("users.conversations: %s", code_of(error))
    except (TimeoutError, *UNREACHABLE) as error:
        log.warning("users.conversations failed: %s", type(error).__name__)
    return frozenset(channels)


async def _fetch_guests(workspace: WorkspaceId, client: AsyncWebClient) -> frozenset[str] | None:
    guests: set[str] = set()
    is_complete, arguments = False, {"team_id": workspace, "limit": PEOPLE_PER_PAGE}
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT_S):
            async for answer, is_last in pages(client.users_list, MAX_PAGES, **arguments):
                guests.update(str(about["id"]) for about in answer.get("members") or () if _is_present_guest(about))
                is_complete = is_last
    except SlackApiError as error:
        # A substitute for Slack without this method has no guests either.
        if code_of(error) == "unknown_method":
            return frozenset()
        log.warning("users.list: %s", code_of(error))
    except (TimeoutError, *UNREACHABLE) as error:
        log.warning("users.list failed: %s", type(error).__name__)
    else:
        if is_complete:
            return frozenset(guests)
        log.warning(
            "the workspace has more than %d people, so every channel may have guests", MAX_PAGES * PEOPLE_PER_PAGE
        )
    return None


def _is_present_guest(about: object) -> bool:
    person: Mapping[str, Any] = about if isinstance(about, Mapping) else {}
    return isinstance(person.get("id"), str) and person.get("deleted") is not True and is_guest(person)


def is_guest(person: Mapping[str, Any]) -> bool:
    """Return whether Slack's user object describes a guest of one channel or of several."""
    return person.get("is_restricted") is True or person.get("is_ultra_restricted") is True
