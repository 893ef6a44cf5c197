"""Labels of matches in SQL: read them to learn, and delete them with what they are about."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, select

from bot.domain.channels.feedback import LABELS_USED, StoredLabel
from bot.domain.identifiers import DatabaseKey, WorkspaceId
from bot.storage.catalogue.rows import database_id_of
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import databases, feedback_labels
from bot.storage.sql.sqlite import record_deletion

_columns = feedback_labels.c


class SqlLabels:
    """Implements ``storage.ports.feedback.Labels``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, key: DatabaseKey) -> tuple[StoredLabel, ...]:
        """Return the newest LABELS_USED labels of likeness, newest first. Raises UnknownDatabase."""

        def work(connection: Connection) -> tuple[StoredLabel, ...]:
            wanted = (_columns.database_id == database_id_of(connection, key)) & _columns.by_likeness
            query = select(_columns.score, _columns.lead, _columns.is_same, _columns.fingerprint).where(wanted)
            rows = connection.execute(query.order_by(_columns.id.desc()).limit(LABELS_USED))
            return tuple(StoredLabel(row.score, row.lead, row.is_same, row.fingerprint) for row in rows)

        return await self._database.read(work)

    async def count(self, key: DatabaseKey) -> int:
        """Return the number of all labels of likeness. Raises UnknownDatabase."""

        def work(connection: Connection) -> int:
            wanted = (_columns.database_id == database_id_of(connection, key)) & _columns.by_likeness
            return int(connection.execute(select(func.count()).where(wanted)).scalar_one())

        return await self._database.read(work)

    async def forget(self, workspace: WorkspaceId, *, channel: str = "", message: str = "", file: str = "") -> None:
        """Delete the labels of pictures that were asked in a channel or a message, or as a file."""
        places = ((_columns.channel, channel), (_columns.message, message), (_columns.file, file))
        given = [column == value for column, value in places if value]
        if given:
            await self._delete(workspace, given)

    async def _delete(self, workspace: WorkspaceId, conditions: Sequence[ColumnElement[bool]]) -> None:
        own = select(databases.c.id).where(databases.c.workspace == workspace)
        wanted = _columns.database_id.in_(own)

        def work(connection: Connection) -> None:
            record_deletion(connection)
            connection.execute(delete(feedback_labels).where(wanted, *conditions))

        found = select(_columns.id).where(wanted, *conditions).limit(1)
        # A read first, because most deletions in Slack are about nothing that was labelled.
        if await self._database.read(lambda connection: connection.execute(found).first()):
            await self._database.write(work)
