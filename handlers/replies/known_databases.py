"""Which databases a person may know of. Guests know only those of their channels."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelKind
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.search.lookup import LookupService
from handlers.slack.directory import DirectoryCache

MAX_CHANNELS = 100
"""Channels with settings that are looked up for a guest."""


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
        limited = await self.of_guest(workspace, user, client)
        return await self._lookup.databases(workspace) if limited is None else limited

    async def check(self, name: DatabaseName, workspace: WorkspaceId, user: str, client: AsyncWebClient) -> None:
        """Raise UnknownDatabase, without a similar name, for a database that a guest may not know of."""
        limited = await self.of_guest(workspace, user, client)
        if limited is not None and all(info.key.name != name for info in limited):
            raise UnknownDatabase(name)

    async def may_all_be_named(
        self, workspace: WorkspaceId, channel: str, kind: ChannelKind, client: AsyncWebClient
    ) -> bool:
        """Return whether everybody in a channel may know of all databases: no other organisation, and no guest."""
        return kind is not ChannelKind.SHARED and not await self._directories.of(workspace, client).has_guests(channel)

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
        channels = await directory.readable([binding.channel for binding in bindings], user)
        names = {binding.database for binding in bindings if binding.channel in channels}
        return tuple(info for info in infos if info.key.name in names or info.created_by == user)
