"""Set and read a channel's mode, database and minimum score."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.services.databases import find_database
from bot.services.search.lookup import choose_database, no_unique_database
from bot.services.search.search import validate_minimum
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.slack import ChannelBindings


class ChannelSettingsService:
    """Stores the settings of channels."""

    def __init__(self, bindings: ChannelBindings, catalogue: Catalogue) -> None:
        self._bindings = bindings
        self._catalogue = catalogue

    async def watch(self, binding: ChannelBinding) -> ChannelBinding:
        """Replace the channel's settings and return them.

        Raises:
            InvalidInput: The minimum score is not from 0 to 10.
            UnknownDatabase: The database doesn't exist. The error suggests a similar name if there is one.
        """
        if binding.minimum is not None:
            validate_minimum(binding.minimum)
        if binding.database is not None:
            await find_database(self._catalogue, DatabaseKey(binding.workspace, binding.database))
        await self._bindings.put(binding)
        return binding

    async def set_database_if_unset(
        self, workspace: WorkspaceId, channel: str, database: DatabaseName, user: str
    ) -> ChannelBinding:
        """Set the database of a channel that has none, and keep its other settings. Return the resulting settings.

        A channel that is off stays off. Raises UnknownDatabase.
        """
        binding = await self.get(workspace, channel)
        if binding.database is not None or binding.mode is ChannelMode.OFF:
            return binding
        return await self.watch(replace(binding, database=database, changed_by=user))

    async def unwatch(self, workspace: WorkspaceId, channel: str, user: str) -> ChannelBinding:
        """Ignore images shared in the channel from now on."""
        binding = ChannelBinding(workspace, channel, ChannelMode.OFF, changed_by=user)
        await self._bindings.put(binding)
        return binding

    async def get(self, workspace: WorkspaceId, channel: str) -> ChannelBinding:
        """Return the channel's settings. The default mode is lookup."""
        return await self._bindings.get(workspace, channel) or ChannelBinding(workspace, channel)

    async def all(self, workspace: WorkspaceId) -> tuple[ChannelBinding, ...]:
        """Return all settings of the workspace, ordered by channel."""
        return await self._bindings.all(workspace)

    async def claim_offer(self, workspace: WorkspaceId, channel: str) -> bool:
        """Return True to the first caller only: a channel gets the offer of a database once."""
        return await self._bindings.claim_offer(workspace, channel)

    async def database_of(self, binding: ChannelBinding) -> DatabaseKey:
        """Return the channel's database, or else the workspace's only database.

        A collect or guard channel whose database was deleted doesn't fall back to another one.
        Raises UnknownDatabase, NoDatabase, SeveralDatabases.
        """
        if binding.database is None and binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}:
            # Nobody chose another database for this channel's images.
            raise await no_unique_database(self._catalogue, binding.workspace)
        return await choose_database(self._catalogue, binding.workspace, binding.database)
