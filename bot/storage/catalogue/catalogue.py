"""The catalogue in SQL: images, entities, notes and origins, for every back end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, insert, select, update

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import AlreadyAdded, DatabaseExists, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.domain.pages import Page, PageRequest
from bot.storage.catalogue.rows import (
    bump_revision,
    columns_of,
    database_id_of,
    database_infos,
    find_database,
    in_batches,
    record_of,
)
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.paging import ListedDatabase, read_page
from bot.storage.sql.schema.tables import databases, embedded_databases, hosted_databases, images, workspaces

# Every add runs these. Built once, they cost little more than the work of the driver.
_ENTITY_OF = select(images.c.entity).where(
    images.c.database_id == bindparam("database"), images.c.digest == bindparam("digest")
)
_NEW_IMAGE = insert(images)
_ALL_IMAGES = select(images, databases.c.workspace, databases.c.name).join(databases)


class SqlCatalogue:
    """Implements ``storage.ports.catalogue.Catalogue``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def create_database(self, key: DatabaseKey, created_by: str = "") -> None:
        """Create a database. Raises DatabaseExists."""

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "databases", [f"{key.workspace} {key.name}"])
            if find_database(connection, key) is not None:
                raise DatabaseExists(key.name)
            values = {"workspace": key.workspace, "name": str(key.name), "created_by": created_by, "revision": 0}
            connection.execute(insert(databases).values(**values, created_at=self._clock()))

        await self._database.write(work)

    async def delete_database(self, key: DatabaseKey) -> None:
        """Delete a database and the records of its images."""

        def work(connection: Connection) -> None:
            connection.execute(delete(databases).where(databases.c.id == database_id_of(connection, key)))

        await self._database.write(work)

    async def databases(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """Return the workspace's databases with their sizes, by name."""

        def work(connection: Connection) -> tuple[DatabaseInfo, ...]:
            return tuple(database_infos(connection, databases.c.workspace == workspace))

        return await self._database.read(work)

    async def database(self, key: DatabaseKey) -> DatabaseInfo:
        """Return a database with its size. Raises UnknownDatabase."""

        def work(connection: Connection) -> DatabaseInfo:
            for info in database_infos(connection, _is(key)):
                return info
            raise UnknownDatabase(key.name)

        return await self._database.read(work)

    async def workspaces(self) -> tuple[WorkspaceId, ...]:
        """Return the workspaces that are connected or own a database."""

        def work(connection: Connection) -> tuple[WorkspaceId, ...]:
            query = select(workspaces.c.id).union(select(databases.c.workspace))
            return tuple(sorted(WorkspaceId(name) for name in connection.execute(query).scalars()))

        return await self._database.read(work)

    async def connected(self) -> tuple[tuple[WorkspaceId, str], ...]:
        """Return the connected workspaces, each with its Enterprise Grid organisation (empty if it has none)."""
        query = select(workspaces.c.id, workspaces.c.enterprise).order_by(workspaces.c.id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple((WorkspaceId(row.id), row.enterprise) for row in rows)

    async def workspaces_of(self, enterprise: str) -> tuple[WorkspaceId, ...]:
        """Return the connected workspaces of an Enterprise Grid organisation."""

        def work(connection: Connection) -> tuple[WorkspaceId, ...]:
            query = select(workspaces.c.id).where(workspaces.c.enterprise == enterprise).order_by(workspaces.c.id)
            return tuple(WorkspaceId(name) for name in connection.execute(query).scalars())

        return await self._database.read(work)

    async def record_workspace(self, workspace: WorkspaceId, enterprise: str = "") -> None:
        """Record a connected workspace.

        If it is the only one, it gets the databases of LOCAL_WORKSPACE, except those whose names it uses already.
        """
        if workspace == LOCAL_WORKSPACE:
            return

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "workspaces")
            known = set(connection.execute(select(workspaces.c.id)).scalars())
            if workspace not in known:
                values = {"id": workspace, "enterprise": enterprise, "connected_at": self._clock()}
                connection.execute(insert(workspaces).values(**values))
            elif enterprise:
                connection.execute(update(workspaces).where(workspaces.c.id == workspace).values(enterprise=enterprise))
            if not known - {workspace}:
                _adopt_local(connection, workspace)

        await self._database.write(work)

    async def add(self, record: ImageRecord) -> None:
        """Record an image. Raises AlreadyAdded if the database has the same ``digest``; in a unit, at its end."""

        def work(connection: Connection) -> None:
            database_id = bump_revision(connection, record.database)
            entity = connection.execute(_ENTITY_OF, {"database": database_id, "digest": record.digest}).scalar()
            if entity is not None:
                raise AlreadyAdded(record.database.name, entity)
            connection.execute(_NEW_IMAGE, {"database_id": database_id, **columns_of(record)})

        await self._database.defer(work)

    async def known_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> frozenset[str]:
        """Return those of the digests of original files from which the database has an image."""
        return frozenset(await self._entities(key, images.c.source_digest, source_digests))

    async def known_pictures(self, key: DatabaseKey, digests: Iterable[str]) -> Mapping[str, EntityId]:
        """Return the entities of the images with exactly these pixels, by digest."""
        return await self._entities(key, images.c.digest, digests)

    async def _entities(
        self, key: DatabaseKey, column: ColumnElement[str], digests: Iterable[str]
    ) -> dict[str, EntityId]:
        wanted = list(digests)

        def work(connection: Connection) -> dict[str, EntityId]:
            found = select(column, images.c.entity).where(images.c.database_id == database_id_of(connection, key))
            return {
                digest: EntityId(entity)
                for some in in_batches(wanted)
                for digest, entity in connection.execute(found.where(column.in_(some)))
            }

        return await self._database.read(work)

    async def records(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, ImageRecord]:
        """Return the records of these images. Unknown ids are left out."""
        wanted = list(data_ids)

        def work(connection: Connection) -> dict[DataId, ImageRecord]:
            in_database = select(images).where(images.c.database_id == database_id_of(connection, key))
            found: dict[DataId, ImageRecord] = {}
            for some in in_batches(wanted):
                for row in connection.execute(in_database.where(images.c.data_id.in_(some))):
                    found[DataId(row.data_id)] = record_of(key, row)
            return found

        return await self._database.read(work)

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ImageRecord]:
        """Return a page of records. Raises InvalidInput for a token of another listing."""

        def work(connection: Connection) -> Page[ImageRecord]:
            owner = ListedDatabase(database_id_of(connection, key), key)
            return read_page(connection, images, owner, request, lambda row: record_of(key, row))

        return await self._database.read(work)

    async def remove(
        self, key: DatabaseKey, entity: EntityId, data_id: DataId | None = None
    ) -> tuple[ImageRecord, ...]:
        """Delete the records of an entity's images, or of one of them. Return the deleted records."""

        def work(connection: Connection) -> tuple[ImageRecord, ...]:
            database_id = database_id_of(connection, key, update_lock=True)
            wanted = [images.c.database_id == database_id, images.c.entity == str(entity)]
            if data_id is not None:
                wanted.append(images.c.data_id == data_id)
            rows = connection.execute(select(images).where(*wanted).order_by(images.c.id)).all()
            if rows:
                connection.execute(delete(images).where(*wanted))
                bump_revision(connection, key)
            return tuple(record_of(key, row) for row in rows)

        return await self._database.write(work)

    async def set_hints(self, key: DatabaseKey, *, hints_at_hidden: bool) -> None:
        """Set whether searchers are told that images which they may not see matched."""

        def work(connection: Connection) -> None:
            wanted = databases.c.id == database_id_of(connection, key)
            connection.execute(update(databases).where(wanted).values(hints_at_hidden=hints_at_hidden))

        await self._database.write(work)

    async def with_digest(self, key: DatabaseKey, digest: str) -> ImageRecord | None:
        """Return the image with exactly these pixels."""

        def work(connection: Connection) -> ImageRecord | None:
            in_database = select(images).where(images.c.database_id == database_id_of(connection, key))
            row = connection.execute(in_database.where(images.c.digest == digest)).first()
            return None if row is None else record_of(key, row)

        return await self._database.read(work)

    async def of_entity(self, key: DatabaseKey, entity: EntityId) -> tuple[ImageRecord, ...]:
        """Return the images of an entity, oldest first."""

        def work(connection: Connection) -> tuple[ImageRecord, ...]:
            in_database = select(images).where(images.c.database_id == database_id_of(connection, key))
            of_entity = in_database.where(images.c.entity == str(entity))
            rows = connection.execute(of_entity.order_by(images.c.created_at, images.c.id))
            return tuple(record_of(key, row) for row in rows)

        return await self._database.read(work)

    async def from_file(self, workspace: WorkspaceId, file_id: str) -> tuple[ImageRecord, ...]:
        """Return the images made from a Slack file, in all databases of the workspace."""
        made = (databases.c.workspace == workspace) & (images.c.slack_file == file_id)
        return await self._find_records(_ALL_IMAGES.where(made).order_by(images.c.id))

    async def from_message(self, workspace: WorkspaceId, channel: str, message_ts: str) -> tuple[ImageRecord, ...]:
        """Return the images made from a message's files, in all databases of the workspace."""
        made = (databases.c.workspace == workspace) & (images.c.slack_message == message_ts)
        return await self._find_records(
            _ALL_IMAGES.where(made, images.c.slack_channel == channel).order_by(images.c.id)
        )

    async def added_before(self, moment: datetime, limit: int) -> tuple[ImageRecord, ...]:
        """Return up to ``limit`` images added before a moment, oldest first, in all workspaces."""
        older = _ALL_IMAGES.where(images.c.created_at < moment)
        return await self._find_records(older.order_by(images.c.created_at, images.c.id).limit(limit))

    async def _find_records(self, query: Select[Any]) -> tuple[ImageRecord, ...]:
        def work(connection: Connection) -> tuple[ImageRecord, ...]:
            return tuple(
                record_of(DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name)), row)
                for row in connection.execute(query)
            )

        return await self._database.read(work)

    async def holds(self, workspace: WorkspaceId, digest: str) -> bool:
        """Return whether any database of the workspace has the picture."""
        query = select(images.c.id).join(databases).where(images.c.digest == digest, databases.c.workspace == workspace)
        row = await self._database.read(lambda connection: connection.execute(query.limit(1)).first())
        return row is not None

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Record that a workspace is no longer connected. Its databases must have been deleted."""

        def work(connection: Connection) -> None:
            connection.execute(delete(workspaces).where(workspaces.c.id == workspace))

        await self._database.defer(work)


def _is(key: DatabaseKey) -> ColumnElement[bool]:
    return (databases.c.workspace == key.workspace) & (databases.c.name == str(key.name))


def _adopt_local(connection: Connection, workspace: WorkspaceId) -> None:
    # Change the back ends' rows as well, so that a database is never in two workspaces.
    tables = (databases, embedded_databases, hosted_databases)
    taken: set[str] = set()
    for table in tables:
        taken.update(connection.execute(select(table.c.name).where(table.c.workspace == workspace)).scalars())
    for table in tables:
        moving = (table.c.workspace == LOCAL_WORKSPACE) & table.c.name.not_in(taken)
        connection.execute(update(table).where(moving).values(workspace=workspace))
