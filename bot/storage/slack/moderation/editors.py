"""Who may change the settings of a workspace's channels, in SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from bot.domain.channels import SettingsEditors
from bot.domain.identifiers import WorkspaceId
from bot.storage.slack.moderation.rules_json import decode_editors, encode_editors
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import workspace_settings

_columns = workspace_settings.c


class SqlSettingsEditors:
    """Implements ``storage.ports.moderation.EditorSettings``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def get(self, workspace: WorkspaceId) -> SettingsEditors:
        """Return who may change settings: everybody, unless it was set."""
        query = select(_columns.editors).where(_columns.workspace == workspace)
        text = await self._database.read(lambda connection: connection.execute(query).scalar())
        return SettingsEditors() if text is None else decode_editors(text)

    async def put(self, workspace: WorkspaceId, editors: SettingsEditors, user: str) -> None:
        """Set who may change settings."""
        values = {"editors": encode_editors(editors), "changed_by": user, "changed_at": self._clock()}

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "workspace_settings", [workspace])
            changed = update(workspace_settings).where(_columns.workspace == workspace).values(values)
            if connection.execute(changed).rowcount == 0:
                connection.execute(insert(workspace_settings).values(workspace=workspace, **values))

        await self._database.write(work)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete the settings of a workspace."""

        def work(connection: Connection) -> None:
            connection.execute(delete(workspace_settings).where(_columns.workspace == workspace))

        await self._database.write(work)
