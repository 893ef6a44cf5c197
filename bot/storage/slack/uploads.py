"""The pictures that the bot uploaded to Slack to show them, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, exists, insert, select, update

from bot.domain.identifiers import WorkspaceId
from bot.storage.ports.removals import ClaimedRemoval
from bot.storage.removals.pending import SqlPendingRemovals
from bot.storage.removals.rows import RemovalKind, cancel_upload_removal, queue_unused_uploads, queue_uploads
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import databases, images, thumbnails

UNFINISHED_AFTER = timedelta(hours=1)
"""Age at which an upload that was noted and not recorded counts as abandoned."""

FORGOTTEN_AT_ONCE = 200

_columns = thumbnails.c


class SqlThumbnails:
    """Implements ``storage.ports.slack.Thumbnails``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock
        self._removals = SqlPendingRemovals(database, clock)

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

    async def note(self, workspace: WorkspaceId, file_id: str, picture: str | None = None) -> None:
        """Record a file before its upload. Unless ``put`` follows within an hour, it will be deleted.

        ``picture``: the digest of the stored picture that it shows. It will be deleted with that.
        """
        due_at = self._clock() + UNFINISHED_AFTER
        await self._database.write(
            lambda connection: queue_uploads(connection, workspace, [file_id], due_at, picture=picture)
        )

    async def put(self, workspace: WorkspaceId, digest: str, file_id: str) -> None:
        """Record an upload. An earlier one of the picture will be deleted from Slack."""
        upload = (_columns.workspace == workspace) & (_columns.digest == digest)

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "thumbnails", [f"{workspace} {digest}"])
            earlier = connection.execute(select(_columns.file_id).where(upload)).scalar()
            if earlier is None:
                connection.execute(insert(thumbnails).values(workspace=workspace, digest=digest, file_id=file_id))
            elif earlier != file_id:
                connection.execute(update(thumbnails).where(upload).values(file_id=file_id))
                queue_uploads(connection, workspace, [earlier], self._clock())
            cancel_upload_removal(connection, workspace, file_id)

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

    async def remove_files(self, workspace: WorkspaceId, file_ids: Iterable[str]) -> None:
        """Delete the records of uploads, by Slack file id. These files are gone from Slack."""
        wanted = list(file_ids)

        def work(connection: Connection) -> None:
            for some in in_batches(wanted):
                ours = (_columns.workspace == workspace) & _columns.file_id.in_(some)
                connection.execute(delete(thumbnails).where(ours))

        await self._database.write(work)

    async def queue_unused(self, workspace: WorkspaceId, limit: int) -> int:
        """Queue the deletion of up to ``limit`` uploads whose pictures the workspace no longer has; return how many."""
        unused = await self.unused(workspace, limit)

        def work(connection: Connection) -> None:
            # Checks again, inside the transaction.
            queue_unused_uploads(connection, unused, self._clock())

        if unused:
            await self._database.write(work)
        # A sweep is rare enough to try again what failed.
        await self._removals.retry_failed(RemovalKind.UPLOAD)
        return len(unused)

    async def claim_removals(self, workspace: WorkspaceId, limit: int) -> Sequence[ClaimedRemoval]:
        """Claim up to ``limit`` due files of a workspace for deletion, for two minutes."""
        if workspace not in await self._removals.workspaces():
            return []
        return await self._removals.claim_uploads(workspace, limit)

    async def finish_removals(self, removals: Sequence[ClaimedRemoval]) -> None:
        """Record that claimed files are deleted."""
        await self._removals.finish(removals)

    async def postpone_removals(self, removals: Sequence[ClaimedRemoval]) -> None:
        """Make claimed files due again later."""
        if removals:
            await self._removals.postpone(removals)

    async def workspaces_with_removals(self) -> Sequence[WorkspaceId]:
        """Return the workspaces with files that are due for deletion."""
        return [WorkspaceId(workspace) for workspace in await self._removals.workspaces()]

    async def abandon(self, workspace: WorkspaceId) -> int:
        """Forget all files of a workspace, because its token is gone. Return how many files stay in Slack."""
        count = await self._removals.drop_uploads(workspace)
        while forgotten := await self._database.write(lambda connection: _forget_some(connection, workspace)):
            count += forgotten
        return count


def _forget_some(connection: Connection, workspace: WorkspaceId) -> int:
    some = select(_columns.digest).where(_columns.workspace == workspace).limit(FORGOTTEN_AT_ONCE)
    digests = connection.execute(some).scalars().all()
    if digests:
        ours = (_columns.workspace == workspace) & _columns.digest.in_(digests)
        connection.execute(delete(thumbnails).where(ours))
    return len(digests)
