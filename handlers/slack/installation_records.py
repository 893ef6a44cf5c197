"""When the app was installed: by the installation store, and by the token in the settings."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from bot.domain.identifiers import WorkspaceId


class Installations(Protocol):
    """When the app was installed, and its tokens. An empty workspace stands for the whole organisation."""

    async def installed_at(self, enterprise: str, workspace: WorkspaceId) -> datetime | None:
        """Return when the app was installed in a workspace, or else in its organisation; None if it is in neither."""
        ...

    async def delete_until(self, enterprise: str, workspace: WorkspaceId, moment: datetime) -> bool:
        """Delete an installation made until a moment. Return False if a newer one is there, which stays."""
        ...


class InstallationRecords:
    """``Installations`` that include the token in the settings.

    Args:
        store: The OAuth installations, if there are any.
        own: The workspace of the token in the settings; empty without one.
        verified_at: When Slack last confirmed that token. Whatever uninstalled the app before is over.
    """

    def __init__(self, store: Installations | None, own: str, verified_at: datetime) -> None:
        self._store = store
        self._own = own
        self._verified_at = verified_at

    async def installed_at(self, enterprise: str, workspace: WorkspaceId) -> datetime | None:
        """Return when the app was installed in a workspace, or else in its organisation; None if it is in neither."""
        if workspace and workspace == self._own:
            return self._verified_at
        return None if self._store is None else await self._store.installed_at(enterprise, workspace)

    async def delete_until(self, enterprise: str, workspace: WorkspaceId, moment: datetime) -> bool:
        """Delete an installation made until a moment. Return False if a newer one is there, which stays."""
        return self._store is None or await self._store.delete_until(enterprise, workspace, moment)
