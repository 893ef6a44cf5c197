"""The ports of channel settings and of pictures uploaded to Slack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from bot.domain.channels import ChannelBinding
from bot.domain.identifiers import WorkspaceId


class ChannelBindings(Protocol):
    """The mode, database and minimum score set for each channel."""

    async def get(self, workspace: WorkspaceId, channel: str) -> ChannelBinding | None:
        """Return a channel's binding; None if no mode is set, even if a database was offered."""
        ...

    async def put(self, binding: ChannelBinding) -> None:
        """Set or replace a channel's binding. Raises UnknownDatabase."""
        ...

    async def all(self, workspace: WorkspaceId) -> tuple[ChannelBinding, ...]:
        """Return all bindings of a workspace, by channel. ``database`` is None if it was deleted since."""
        ...

    async def claim_offer(self, workspace: WorkspaceId, channel: str) -> bool:
        """Return True to the first caller only, because a channel is offered a database once."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all bindings of a workspace."""
        ...


class Thumbnails(Protocol):
    """The pictures that the bot uploaded to Slack to show them, by workspace and digest."""

    async def get(self, workspace: WorkspaceId, digests: Iterable[str]) -> Mapping[str, str]:
        """Return the Slack file ids of these pictures, by digest. Pictures without an upload are left out."""
        ...

    async def put(self, workspace: WorkspaceId, digest: str, file_id: str) -> None:
        """Record an upload. It replaces an earlier one."""
        ...

    async def unused(self, workspace: WorkspaceId, limit: int) -> Mapping[str, str]:
        """Return up to ``limit`` uploads whose picture is no longer in any database of the workspace."""
        ...

    async def remove(self, workspace: WorkspaceId, digests: Iterable[str]) -> None:
        """Delete the records of uploads, by digest."""
        ...

    async def remove_files(self, workspace: WorkspaceId, file_ids: Iterable[str]) -> None:
        """Delete the records of uploads, by Slack file id."""
        ...
