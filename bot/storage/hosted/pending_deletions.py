"""What is to go from the hosted service, and what it may have.

Implements ``adapters.showapi.ports.PendingDeletions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, union, update

from bot.storage.catalogue.rows import in_batches
from bot.storage.hosted.rows import ADD_LEASE, IS_UNSETTLED, HostedDeletion, HostedLocation, queue_deletions
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import hosted_databases, hosted_deletions, hosted_images

_databases, _images, _deletions = hosted_databases.c, hosted_images.c, hosted_deletions.c


class SqlPendingDeletions:
    """Implements ``adapters.showapi.ports.PendingDeletions``, whatever the workspace."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def queue_unconfirmed(self, before: datetime) -> int:
        """Make chores of the adds that were begun earlier than that and never confirmed; how many."""

        def work(connection: Connection) -> int:
            return len(queue_deletions(connection, IS_UNSETTLED & (_images.begun_at < before), self._clock()))

        return await self._database.write(work)

    async def due(self, limit: int) -> Sequence[HostedDeletion]:
        """Some that are due, oldest first; what is committed is asked."""
        query = select(_deletions.id, _deletions.upstream, _deletions.entity).where(_deletions.due_at <= self._clock())
        query = query.order_by(_deletions.due_at, _deletions.id).limit(limit)
        rows = await self._database.snapshot(lambda connection: connection.execute(query).all())
        return [HostedDeletion(*row) for row in rows]

    async def mark_done(self, deletions: Iterable[int]) -> None:
        """At once: these have gone from the service."""
        ids = list(deletions)

        def work(connection: Connection) -> None:
            for some in in_batches(ids):
                connection.execute(delete(hosted_deletions).where(_deletions.id.in_(some)))

        await self._database.write_separately(work)

    async def postpone(self, deletions: Iterable[int], until: datetime) -> None:
        """At once: these can't be done now."""
        ids = list(deletions)

        def work(connection: Connection) -> None:
            for some in in_batches(ids):
                connection.execute(update(hosted_deletions).where(_deletions.id.in_(some)).values(due_at=until))

        await self._database.write_separately(work)

    async def retry_now(self) -> None:
        """At once: what was put off is due. What may still be on its way to the service keeps its time."""
        now = self._clock()

        def work(connection: Connection) -> None:
            put_off = update(hosted_deletions).where(_deletions.due_at > now + ADD_LEASE)
            connection.execute(put_off.values(due_at=now))

        await self._database.write_separately(work)

    async def databases(self) -> Sequence[HostedLocation]:
        """Where the images of all databases are."""
        query = select(_databases.id, _databases.upstream, _databases.prefix).order_by(_databases.id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [HostedLocation(*row) for row in rows]

    async def expected_entities(self, upstream: str) -> frozenset[str]:
        """All that one of the service's databases may have of us, by its name there: also what is coming or going."""
        images = select(_databases.prefix + _images.data_id).join_from(hosted_images, hosted_databases)
        going = select(_deletions.entity).where(_deletions.upstream == upstream, _deletions.entity != "")
        query = union(images.where(_databases.upstream == upstream), going)
        names = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return frozenset(names)

    async def databases_to_delete(self) -> frozenset[str]:
        """The service's databases that are to go as a whole."""
        query = select(_deletions.upstream).where(_deletions.entity == "")
        names = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return frozenset(names)
