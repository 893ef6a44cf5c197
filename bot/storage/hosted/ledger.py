"""The record of what was sent to the hosted service. Implements ``adapters.showapi.ports``, which storage can't import.

An add is recorded before the image is sent. If the process dies in between, the next attempt takes the add over, or
maintenance queues its deletion.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import DatabaseExists
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.storage.hosted import adds
from bot.storage.hosted.deleted_databases import delete_database
from bot.storage.hosted.rows import (
    IS_CONFIRMED,
    IS_UNSETTLED,
    AddState,
    HostedLocation,
    find_hosted_database,
    hosted_database_of,
    image_of,
    is_abandoned,
    is_in,
    listed,
    queue_deletions,
    rename_confirmed,
)
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.paging import ListedDatabase, read_page
from bot.storage.sql.schema.tables import hosted_databases, hosted_deletions, hosted_images

_databases, _images, _deletions = hosted_databases.c, hosted_images.c, hosted_deletions.c


class SqlLedger:
    """Implements ``adapters.showapi.ports.Ledger``.

    Methods that commit immediately raise RuntimeError inside a unit whose transaction has begun.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def create_database(self, key: DatabaseKey, upstream: str, prefix: str) -> None:
        """Record a database. Raises DatabaseExists."""

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "hosted databases", [f"{key.workspace} {key.name}"])
            if find_hosted_database(connection, key) is not None:
                raise DatabaseExists(key.name)
            names = {"workspace": key.workspace, "name": str(key.name), "upstream": upstream, "prefix": prefix}
            connection.execute(insert(hosted_databases), {**names, "created_at": self._clock()})

        await self._database.write(work)

    async def database(self, key: DatabaseKey) -> HostedLocation:
        """Return a database's location. Reads committed data only. Raises UnknownDatabase."""
        return await self._database.snapshot(lambda connection: hosted_database_of(connection, key))

    async def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        query = select(_databases.name).where(_databases.workspace == workspace).order_by(_databases.name)
        names = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return tuple(DatabaseName(name) for name in names)

    async def delete_database(self, key: DatabaseKey, *, whole: bool) -> None:
        """Delete a database here, and queue its deletion at the service.

        With ``whole``, the whole database at the service will be deleted, otherwise each of our images.
        """

        def work(connection: Connection) -> None:
            # Without the lock, an add that begins now would lose its row, and its image would stay at the service.
            location, now = hosted_database_of(connection, key, update_lock=True), self._clock()
            if whole:
                # Deleting the whole database makes these deletions unnecessary.
                connection.execute(delete(hosted_deletions).where(_deletions.upstream == location.upstream))
                deletion = {"upstream": location.upstream, "entity": "", "due_at": now}
                connection.execute(insert(hosted_deletions), deletion)
            delete_database(connection, location, now, whole=whole)

        await self._database.write(work)

    async def begin_add(self, key: DatabaseKey, image: NewHostedImage) -> bool:
        """Record that this process is about to send an image to the service. Commits immediately, even inside a unit.

        Return False if the service may already have an image of this name. Either an earlier add was never confirmed,
        which the caller takes over, or its deletion was pending, which is cancelled. Raises AlreadyAdded if the image
        is confirmed.
        """
        return await self._database.write_separately(
            lambda connection: adds.begin_add(connection, key, image, self._clock())
        )

    async def take_over_add(self, key: DatabaseKey, digest: str, entity: EntityId, note: Note) -> DataId | None:
        """Take over an abandoned add of an image with these pixels. Commits immediately, even inside a unit.

        The add is doubtful, or its process has died. It gets the new entity and note. Return None if there is none.
        """
        return await self._database.write_separately(
            lambda connection: adds.take_over_add(connection, key, digest, entity, note, now=self._clock())
        )

    async def confirm_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """Record that the service has the image. Searches find it once the unit commits.

        If the unit is rolled back, the image's deletion at the service is queued. Raises BackendTimeout (in a unit, at
        its end) if the add took so long that it was taken back.
        """

        async def take_back() -> None:
            await self._database.write_separately(
                lambda connection: adds.take_back(connection, key, data_id, self._clock())
            )

        await self._database.after_rollback(take_back)
        await self._database.defer(lambda connection: adds.confirm_add(connection, key, data_id))

    async def mark_doubtful(self, key: DatabaseKey, data_id: DataId) -> None:
        """Record that the service may or may not have the image. Commits immediately, even inside a unit.

        Does nothing if the add is confirmed, or deleted with its database.
        """
        await self._database.write_separately(lambda connection: adds.mark_doubtful(connection, key, data_id))

    async def abandon_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """Delete an add, because the service certainly doesn't have the image. Commits immediately, even inside a unit.

        A confirmed add stays.
        """
        await self._database.write_separately(lambda connection: adds.abandon_add(connection, key, data_id))

    async def images(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, NewHostedImage]:
        """Return those of the images that are confirmed. Reads committed data only."""
        wanted = list(data_ids)

        def work(connection: Connection) -> dict[DataId, NewHostedImage]:
            kept = select(hosted_images).where(is_in(hosted_database_of(connection, key)), IS_CONFIRMED)
            found: dict[DataId, NewHostedImage] = {}
            for some in in_batches(wanted):
                for row in connection.execute(kept.where(_images.data_id.in_(some))):
                    found[DataId(row.data_id)] = image_of(row)
            return found

        return await self._database.snapshot(work)

    async def has(self, key: DatabaseKey, data_id: DataId) -> bool:
        """Return whether the image is confirmed. Reads committed data only."""

        def work(connection: Connection) -> bool:
            query = select(_images.id).where(
                is_in(hosted_database_of(connection, key)), _images.data_id == data_id, IS_CONFIRMED
            )
            return connection.execute(query).first() is not None

        return await self._database.snapshot(work)

    async def unsettled_images(self, key: DatabaseKey) -> frozenset[DataId]:
        """Return images whose add is unconfirmed or whose deletion is pending. Reads committed data only."""

        def work(connection: Connection) -> frozenset[DataId]:
            location = hosted_database_of(connection, key)
            unconfirmed = connection.execute(select(_images.data_id).where(is_in(location), IS_UNSETTLED)).scalars()
            deletions = select(_deletions.entity).where(_deletions.upstream == location.upstream)
            names = connection.execute(deletions).scalars()
            pending = [name.removeprefix(location.prefix) for name in names if name.startswith(location.prefix)]
            return frozenset(DataId(name) for name in (*unconfirmed, *pending))

        return await self._database.snapshot(work)

    async def fingerprints(
        self, key: DatabaseKey, younger_than: timedelta | None = None
    ) -> Sequence[tuple[DataId, str, bytes]]:
        """Return data id, digest and fingerprint of confirmed images, oldest first.

        With ``younger_than``, only images added within that time. Reads committed data only.
        """
        query = select(_images.data_id, _images.digest, _images.fingerprint).order_by(_images.created_at, _images.id)
        if younger_than is not None:
            query = query.where(_images.created_at > self._clock() - younger_than)

        def work(connection: Connection) -> list[tuple[DataId, str, bytes]]:
            rows = connection.execute(query.where(is_in(hosted_database_of(connection, key)), IS_CONFIRMED))
            return [(DataId(data_id), digest, fingerprint) for data_id, digest, fingerprint in rows]

        return await self._database.snapshot(work)

    async def is_upstream_used(self, upstream: str) -> bool:
        """Return whether any database has its images in this database at the service. Reads committed data only."""
        query = select(_databases.id).where(_databases.upstream == upstream).limit(1)
        return await self._database.snapshot(lambda connection: connection.execute(query).first() is not None)

    async def count(self, key: DatabaseKey) -> int:
        """Return the number of confirmed images."""

        def work(connection: Connection) -> int:
            kept = is_in(hosted_database_of(connection, key)) & IS_CONFIRMED
            return connection.execute(select(func.count()).select_from(hosted_images).where(kept)).scalar_one()

        return await self._database.read(work)

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of confirmed images. Raises InvalidInput for a token of another listing."""

        def work(connection: Connection) -> Page[ListedImage]:
            owner = ListedDatabase(hosted_database_of(connection, key).id, key)
            return read_page(connection, hosted_images, owner, request, listed, IS_CONFIRMED)

        return await self._database.read(work)

    async def delete_images(self, key: DatabaseKey, entity: EntityId, data_id: DataId | None) -> int:
        """Delete an entity's images, or one, and queue their deletion at the service.

        Return how many confirmed images were deleted. Adds that a process is working on stay.
        """

        def work(connection: Connection) -> int:
            now = self._clock()
            of_entity = is_in(hosted_database_of(connection, key, key_share_lock=True)) & (
                _images.entity_key == entity.key
            )
            if data_id is not None:
                of_entity &= _images.data_id == data_id
            return queue_deletions(connection, of_entity & (IS_CONFIRMED | is_abandoned(now)), now).count(
                AddState.CONFIRMED
            )

        return await self._database.write(work)

    async def rename_images(self, key: DatabaseKey, data_ids: Iterable[DataId], entity: EntityId) -> int:
        """Give confirmed images another id. Return how many.

        The service knows each image by its data id alone, so nothing changes there.
        """
        wanted = list(data_ids)
        return await self._database.write(
            lambda connection: rename_confirmed(connection, key, wanted, entity, self._clock())
        )

    async def forget_missing(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> None:
        """Delete confirmed images that the service turned out not to have. Commits immediately, even inside a unit."""
        missing = list(data_ids)

        def work(connection: Connection) -> None:
            kept = delete(hosted_images).where(
                is_in(hosted_database_of(connection, key, key_share_lock=True)), IS_CONFIRMED
            )
            for some in in_batches(missing):
                connection.execute(kept.where(_images.data_id.in_(some)))

        await self._database.write_separately(work)

    async def after_commit(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Run ``hook`` after the unit has committed; outside of units, now."""
        await self._database.after_commit(hook)

    async def after_rollback(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Run ``hook`` if the unit is rolled back."""
        await self._database.after_rollback(hook)
