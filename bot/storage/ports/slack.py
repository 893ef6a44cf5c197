"""The ports of channel settings and of pictures uploaded to Slack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from bot.domain.channels import ChannelBinding
from bot.domain.identifiers import WorkspaceId


class ChannelBindings(Protocol):
    """What was set for channels."""

    async def get(self, workspace: WorkspaceId, channel: str) -> ChannelBinding | None:
        """What was set; None where nothing was (an offer alone is nothing)."""
        ...

    async def put(self, binding: ChannelBinding) -> None:
        """Set it, in place of what was. Raises UnknownDatabase."""
        ...

    async def all(self, workspace: WorkspaceId) -> tuple[ChannelBinding, ...]:
        """Those of a workspace, by channel. One whose database was deleted has None for it."""
        ...

    async def claim_offer(self, workspace: WorkspaceId, channel: str) -> bool:
        """True for the first caller: a channel is offered a database once."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Drop all of a workspace."""
        ...


class Thumbnails(Protocol):
    """Pictures that the bot uploaded to Slack to show them, by workspace and digest."""

    async def get(self, workspace: WorkspaceId, digests: Iterable[str]) -> Mapping[str, str]:
        """Slack file ids by digest."""
        ...

    async def put(self, workspace: WorkspaceId, digest: str, file_id: str) -> None:
        """Remember an upload, in place of an earlier one."""
        ...

    async def unused(self, workspace: WorkspaceId, limit: int) -> Mapping[str, str]:
        """Some whose picture is in none of the workspace's databases any more."""
        ...

    async def remove(self, workspace: WorkspaceId, digests: Iterable[str]) -> None:
        """Forget uploads."""
        ...

    async def remove_files(self, workspace: WorkspaceId, file_ids: Iterable[str]) -> None:
        """Forget uploads that Slack no longer has."""
        ...
