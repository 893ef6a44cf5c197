"""Which databases a person may know of. Guests know only those of their channels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding
from bot.domain.identifiers import WorkspaceId
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.search.lookup import LookupService
from handlers.slack.directory import DirectoryCache, SlackDirectory

MAX_CHANNELS = 100
"""Channels with settings that are looked up for a guest."""

CONCURRENCY = 8


class KnownDatabases:
    """Lists the databases of a workspace for a person."""

    def __init__(
        self, lookup: LookupService, channel_settings: ChannelSettingsService, directories: DirectoryCache
    ) -> None:
        self._lookup = lookup
        self._channel_settings = channel_settings
        self._directories = directories

    async def of(self, workspace: WorkspaceId, user: str, client: AsyncWebClient) -> tuple[DatabaseInfo, ...]:
        """Return the databases that the person may know of, by name, with all their images counted."""
        infos = await self._lookup.databases(workspace)
        limited = await self.of_guest(workspace, user, client)
        return infos if limited is None else limited

    async def of_guest(
        self, workspace: WorkspaceId, user: str, client: AsyncWebClient
    ) -> tuple[DatabaseInfo, ...] | None:
        """Return the databases that a guest may know of, or None for any other person.

        These are the databases of the channels that the guest is in, the guest's own, and the workspace's only one.
        """
        directory = self._directories.of(workspace, client)
        if not await directory.is_guest(user):
            return None
        infos = await self._lookup.databases(workspace)
        if len(infos) <= 1:
            # Every channel without settings uses it.
            return infos
        bindings = (await self._channel_settings.all(workspace))[:MAX_CHANNELS]
        names = {binding.database for binding in await _readable(bindings, user, directory)}
        return tuple(info for info in infos if info.key.name in names or info.created_by == user)


async def _readable(
    bindings: Sequence[ChannelBinding], user: str, directory: SlackDirectory
) -> tuple[ChannelBinding, ...]:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def reads(binding: ChannelBinding) -> bool:
        async with slots:
            return await directory.can_read_or_no(binding.channel, user)

    seen = await asyncio.gather(*(reads(binding) for binding in bindings))
    return tuple(binding for binding, is_seen in zip(bindings, seen, strict=True) if is_seen)
