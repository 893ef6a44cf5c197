"""What happens to images shared in a channel: set it, and find it out."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.services.databases import find_database
from bot.services.search.lookup import choose_database, no_unique_database
from bot.services.search.search import validate_minimum
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.slack import ChannelBindings


class WatchService:
    """One use case: a channel's settings."""

    def __init__(self, bindings: ChannelBindings, catalogue: Catalogue) -> None:
        self._bindings = bindings
        self._catalogue = catalogue

    async def watch(self, binding: ChannelBinding) -> ChannelBinding:
        """Set it, in place of what was. Raises InvalidInput, and UnknownDatabase, with a near name if there is one."""
        if binding.minimum is not None:
            validate_minimum(binding.minimum)
        if binding.database is not None:
            await find_database(self._catalogue, DatabaseKey(binding.workspace, binding.database))
        await self._bindings.put(binding)
        return binding

    async def set_database_if_unset(
        self, workspace: WorkspaceId, channel: str, database: DatabaseName, user: str
    ) -> ChannelBinding:
        """Let a channel that has no database use this one, whatever else is set; what holds. Raises UnknownDatabase."""
        binding = await self.get(workspace, channel)
        if binding.database is not None or binding.mode is ChannelMode.OFF:
            return binding
        return await self.watch(replace(binding, database=database, changed_by=user))

    async def unwatch(self, workspace: WorkspaceId, channel: str, user: str) -> ChannelBinding:
        """Leave the channel's images alone from now on."""
        binding = ChannelBinding(workspace, channel, ChannelMode.OFF, changed_by=user)
        await self._bindings.put(binding)
        return binding

    async def get(self, workspace: WorkspaceId, channel: str) -> ChannelBinding:
        """What holds for the channel: a lookup, where nothing was set."""
        return await self._bindings.get(workspace, channel) or ChannelBinding(workspace, channel)

    async def all(self, workspace: WorkspaceId) -> tuple[ChannelBinding, ...]:
        """What was set in the workspace, by channel."""
        return await self._bindings.all(workspace)

    async def claim_offer(self, workspace: WorkspaceId, channel: str) -> bool:
        """True for the first caller: a channel is offered a database once."""
        return await self._bindings.claim_offer(workspace, channel)

    async def database_of(self, binding: ChannelBinding) -> DatabaseKey:
        """The channel's own database, or the workspace's only one: but for what adds, when its own was deleted.

        Raises UnknownDatabase, NoDatabase, SeveralDatabases.
        """
        if binding.database is None and binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}:
            # Nobody said that its images may go anywhere else.
            raise await no_unique_database(self._catalogue, binding.workspace)
        return await choose_database(self._catalogue, binding.workspace, binding.database)
