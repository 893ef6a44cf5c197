"""Deletions that still have to be made at the hosted service, and the images that it may have.

Implements ``adapters.showapi.ports.PendingDeletions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, union, update

from bot.storage.hosted.deleted_databases import IS_WHOLE
from bot.storage.hosted.rows import ADD_LEASE, IS_UNSETTLED, HostedDeletion, HostedLocation, queue_deletions
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import hosted_databases, hosted_deletions, hosted_images

_databases, _images, _deletions = hosted_databases.c, hosted_images.c, hosted_deletions.c


class SqlPendingDeletions:
    """Implements ``adapters.showapi.ports.PendingDeletions``, across all workspaces."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def queue_unconfirmed(self, before: datetime) -> int:
        """Queue deletions of images whose adds began before a moment and were never confirmed. Return how many."""

        def work(connection: Connection) -> int:
            return len(queue_deletions(connection, IS_UNSETTLED & (_images.begun_at < before), self._clock()))

        return await self._database.write(work)

    async def due(self, limit: int) -> Sequence[HostedDeletion]:
        """Return up to ``limit`` due deletions, oldest first. Reads committed data only."""
        query = select(_deletions.id, _deletions.upstream, _deletions.entity).where(_deletions.due_at <= self._clock())
        query = query.order_by(_deletions.due_at, _deletions.id).limit(limit)
        rows = await self._database.snapshot(lambda connection: connection.execute(query).all())
        return [HostedDeletion(*row) for row in rows]

    async def mark_done(self, deletions: Iterable[int]) -> None:
        """Delete these from the queue, because they have been made. Commits immediately, even inside a unit."""
        ids = list(deletions)

        def work(connection: Connection) -> None:
            for some in in_batches(ids):
                connection.execute(delete(hosted_deletions).where(_deletions.id.in_(some)))

        await self._database.write_separately(work)

    async def postpone(self, deletions: Iterable[int], until: datetime) -> None:
        """Try these again later. Commits immediately, even inside a unit."""
        ids = list(deletions)

        def work(connection: Connection) -> None:
            for some in in_batches(ids):
                connection.execute(update(hosted_deletions).where(_deletions.id.in_(some)).values(due_at=until))

        await self._database.write_separately(work)

    async def retry_now(self) -> None:
        """Make postponed deletions due now. Commits immediately, even inside a unit.

        Deletions due within ADD_LEASE keep their time, because the image may still be in flight to the service.
        """
        now = self._clock()

        def work(connection: Connection) -> None:
            postponed = update(hosted_deletions).where(_deletions.due_at > now + ADD_LEASE)
            connection.execute(postponed.values(due_at=now))

        await self._database.write_separately(work)

    async def databases(self) -> Sequence[HostedLocation]:
        """Return the locations of all databases."""
        query = select(_databases.id, _databases.upstream, _databases.prefix).where(~IS_WHOLE)
        query = query.order_by(_databases.id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [HostedLocation(*row) for row in rows]

    async def expected_entities(self, upstream: str) -> frozenset[str]:
        """Return the names of all images that a database at the service may have.

        They include unconfirmed adds and pending deletions.
        """
        images = select(_databases.prefix + _images.data_id).join_from(hosted_images, hosted_databases)
        deletions = select(_deletions.entity).where(_deletions.upstream == upstream, _deletions.entity != "")
        query = union(images.where(_databases.upstream == upstream), deletions)
        names = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return frozenset(names)

    async def databases_to_delete(self) -> frozenset[str]:
        """Return the databases at the service that must be deleted as a whole."""
        query = select(_deletions.upstream).where(_deletions.entity == "")
        names = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return frozenset(names)
