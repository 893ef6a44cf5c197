"""The ports of channel settings and of pictures uploaded to Slack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot.domain.channels import ChannelBinding
from bot.domain.identifiers import WorkspaceId
from bot.storage.ports.removals import ClaimedRemoval


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

    async def remove_files(self, workspace: WorkspaceId, file_ids: Iterable[str]) -> None:
        """Delete the records of uploads, by Slack file id."""
        ...

    async def note(self, workspace: WorkspaceId, file_id: str, picture: str | None = None) -> None:
        """Record a file before its upload. Unless ``put`` follows within an hour, it will be deleted from Slack.

        ``picture``: the digest of the stored picture that it shows. It will be deleted with that.
        """
        ...

    async def put(self, workspace: WorkspaceId, digest: str, file_id: str) -> None:
        """Record an upload. An earlier one of the picture will be deleted from Slack."""
        ...

    async def queue_unused(self, workspace: WorkspaceId, limit: int) -> int:
        """Queue the deletion of up to ``limit`` uploads whose pictures the workspace no longer has; return how many."""
        ...

    async def claim_removals(self, workspace: WorkspaceId, limit: int) -> Sequence[ClaimedRemoval]:
        """Claim up to ``limit`` due files of a workspace for deletion, for two minutes."""
        ...

    async def finish_removals(self, removals: Sequence[ClaimedRemoval]) -> None:
        """Record that claimed files are deleted."""
        ...

    async def postpone_removals(self, removals: Sequence[ClaimedRemoval]) -> None:
        """Make claimed files due again later."""
        ...

    async def abandon(self, workspace: WorkspaceId) -> int:
        """Forget all files of a workspace, because its token is gone. Return how many files stay in Slack."""
        ...

    async def workspaces_with_removals(self) -> Sequence[WorkspaceId]:
        """Return the workspaces with files that are due."""
        ...
