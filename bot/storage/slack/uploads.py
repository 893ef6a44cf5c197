"""The pictures that the bot uploaded to Slack to show them, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, update

from bot.domain.identifiers import WorkspaceId
from bot.storage.catalogue.rows import in_batches
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import databases, images, thumbnails

_columns = thumbnails.c


class SqlThumbnails:
    """Implements ``storage.ports.slack.Thumbnails``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, workspace: WorkspaceId, digests: Iterable[str]) -> Mapping[str, str]:
        """Return the Slack file ids of these pictures, by digest. Pictures without an upload are left out."""
        wanted = list(digests)
        query = select(_columns.digest, _columns.file_id).where(_columns.workspace == workspace)

        def work(connection: Connection) -> dict[str, str]:
            return {
                digest: file_id
                for some in in_batches(wanted)
                for digest, file_id in connection.execute(query.where(_columns.digest.in_(some)))
            }

        return await self._database.read(work)

    async def put(self, workspace: WorkspaceId, digest: str, file_id: str) -> None:
        """Record an upload. It replaces an earlier one."""
        upload = (_columns.workspace == workspace) & (_columns.digest == digest)

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "thumbnails", [f"{workspace} {digest}"])
            if connection.execute(update(thumbnails).where(upload).values(file_id=file_id)).rowcount == 0:
                connection.execute(insert(thumbnails).values(workspace=workspace, digest=digest, file_id=file_id))

        await self._database.write(work)

    async def unused(self, workspace: WorkspaceId, limit: int) -> Mapping[str, str]:
        """Return up to ``limit`` uploads whose picture is no longer in any database of the workspace."""
        used = exists().where(
            images.c.digest == _columns.digest,
            images.c.database_id == databases.c.id,
            databases.c.workspace == workspace,
        )
        query = select(_columns.digest, _columns.file_id).where(_columns.workspace == workspace, ~used).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.digest: row.file_id for row in rows}

    async def remove(self, workspace: WorkspaceId, digests: Iterable[str]) -> None:
        """Delete the records of uploads, by digest."""
        await self._remove(workspace, _columns.digest, list(digests))

    async def remove_files(self, workspace: WorkspaceId, file_ids: Iterable[str]) -> None:
        """Delete the records of uploads, by Slack file id."""
        await self._remove(workspace, _columns.file_id, list(file_ids))

    async def _remove(self, workspace: WorkspaceId, column: ColumnElement[str], wanted: Sequence[str]) -> None:
        uploads = delete(thumbnails).where(_columns.workspace == workspace)

        def work(connection: Connection) -> None:
            for some in in_batches(wanted):
                connection.execute(uploads.where(column.in_(some)))

        await self._database.write(work)
