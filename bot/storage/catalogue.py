"""The catalogue in SQL: what we know of each image, for every back end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from bot.errors import AlreadyAdded, DatabaseExists, UnknownDatabase
from bot.models import (
    LOCAL,
    DatabaseInfo,
    DatabaseKey,
    DatabaseName,
    DataId,
    EntityId,
    ImageRecord,
    Note,
    Page,
    PageRequest,
    SlackOrigin,
    WorkspaceId,
)
from bot.storage.database import Database
from bot.storage.paging import Owner, read_page
from bot.storage.schema import databases, embedded_databases, images, workspaces

T = TypeVar("T")
MAX_VARIABLES = 500

# An add runs these: made once, they cost little more than the driver's own work.
_DATABASE_ID = select(databases.c.id).where(
    databases.c.workspace == bindparam("of"), databases.c.name == bindparam("called")
)
_TOUCH = update(databases).where(databases.c.id == bindparam("database")).values(revision=databases.c.revision + 1)
_ENTITY_OF = select(images.c.entity).where(
    images.c.database_id == bindparam("database"), images.c.digest == bindparam("digest")
)
_NEW_IMAGE = insert(images)


class SqlCatalogue:
    """Satisfies ``storage.base.Catalogue``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def create_database(self, key: DatabaseKey, created_by: str = "") -> None:
        """Note a new database. Raises DatabaseExists."""

        def work(connection: Connection) -> None:
            if _find(connection, key) is not None:
                raise DatabaseExists(key.name)
            values = {"workspace": key.workspace, "name": str(key.name), "created_by": created_by, "revision": 0}
            connection.execute(insert(databases).values(**values, created_at=self._clock()))

        await self._database.write(work)

    async def delete_database(self, key: DatabaseKey) -> None:
        """Forget a database and its records."""

        def work(connection: Connection) -> None:
            connection.execute(delete(databases).where(databases.c.id == _found(connection, key)))

        await self._database.write(work)

    async def databases(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """The workspace's databases with their sizes, by name."""

        def work(connection: Connection) -> tuple[DatabaseInfo, ...]:
            return tuple(_infos(connection, databases.c.workspace == workspace))

        return await self._database.read(work)

    async def database(self, key: DatabaseKey) -> DatabaseInfo:
        """One database. Raises UnknownDatabase."""

        def work(connection: Connection) -> DatabaseInfo:
            for info in _infos(connection, _is(key)):
                return info
            raise UnknownDatabase(key.name)

        return await self._database.read(work)

    async def workspaces(self) -> tuple[WorkspaceId, ...]:
        """The workspaces that were connected or own a database."""

        def work(connection: Connection) -> tuple[WorkspaceId, ...]:
            query = select(workspaces.c.id).union(select(databases.c.workspace))
            return tuple(sorted(WorkspaceId(name) for name in connection.execute(query).scalars()))

        return await self._database.read(work)

    async def adopt(self, workspace: WorkspaceId) -> None:
        """Remember a connected workspace; the only one gets what LOCAL holds (taken names stay behind)."""
        if workspace == LOCAL:
            return

        def work(connection: Connection) -> None:
            known = set(connection.execute(select(workspaces.c.id)).scalars())
            if workspace not in known:
                connection.execute(insert(workspaces).values(id=workspace, connected_at=self._clock()))
            if not known - {workspace}:
                _move_local(connection, workspace)

        await self._database.write(work)

    async def add(self, record: ImageRecord) -> None:
        """Note an image. Raises AlreadyAdded if the database has the same picture (``digest``)."""

        def work(connection: Connection) -> None:
            database_id = _found(connection, record.database)
            entity = connection.execute(_ENTITY_OF, {"database": database_id, "digest": record.digest}).scalar()
            if entity is not None:
                raise AlreadyAdded(record.database.name, entity)
            connection.execute(_NEW_IMAGE, {"database_id": database_id, **_columns(record)})
            _touch(connection, database_id)

        await self._database.defer(work)

    async def known_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> frozenset[str]:
        """Those of the digests from whose very bytes an image was made."""
        return frozenset(await self._entities(key, images.c.source_digest, source_digests))

    async def known_pictures(self, key: DatabaseKey, digests: Iterable[str]) -> Mapping[str, EntityId]:
        """The entities of the images with these pixels, by digest."""
        return await self._entities(key, images.c.digest, digests)

    async def _entities(
        self, key: DatabaseKey, column: ColumnElement[str], digests: Iterable[str]
    ) -> dict[str, EntityId]:
        wanted = list(digests)

        def work(connection: Connection) -> dict[str, EntityId]:
            found = select(column, images.c.entity).where(images.c.database_id == _found(connection, key))
            return {
                digest: EntityId(entity)
                for some in in_groups(wanted)
                for digest, entity in connection.execute(found.where(column.in_(some)))
            }

        return await self._database.read(work)

    async def records(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, ImageRecord]:
        """What is known of these images; ids that are not there are left out."""
        wanted = list(data_ids)

        def work(connection: Connection) -> dict[DataId, ImageRecord]:
            in_database = select(images).where(images.c.database_id == _found(connection, key))
            found: dict[DataId, ImageRecord] = {}
            for some in in_groups(wanted):
                for row in connection.execute(in_database.where(images.c.data_id.in_(some))):
                    found[DataId(row.data_id)] = _record(key, row)
            return found

        return await self._database.read(work)

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ImageRecord]:
        """A page of records. Raises InvalidInput for a token that is not one of ours."""

        def work(connection: Connection) -> Page[ImageRecord]:
            owner = Owner(_found(connection, key), key)
            return read_page(connection, images, owner, request, lambda row: _record(key, row))

        return await self._database.read(work)

    async def remove(
        self, key: DatabaseKey, entity: EntityId, data_id: DataId | None = None
    ) -> tuple[ImageRecord, ...]:
        """Forget an entity's images (or one of them); what went."""

        def work(connection: Connection) -> tuple[ImageRecord, ...]:
            database_id = _found(connection, key)
            wanted = [images.c.database_id == database_id, images.c.entity == str(entity)]
            if data_id is not None:
                wanted.append(images.c.data_id == data_id)
            rows = connection.execute(select(images).where(*wanted).order_by(images.c.id)).all()
            if rows:
                connection.execute(delete(images).where(*wanted))
                _touch(connection, database_id)
            return tuple(_record(key, row) for row in rows)

        return await self._database.write(work)


def in_groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts that fit into one statement: databases bound the number of variables."""
    for start in range(0, len(items), MAX_VARIABLES):
        yield items[start : start + MAX_VARIABLES]


def _is(key: DatabaseKey) -> ColumnElement[bool]:
    return (databases.c.workspace == key.workspace) & (databases.c.name == str(key.name))


def _find(connection: Connection, key: DatabaseKey) -> int | None:
    return connection.execute(_DATABASE_ID, {"of": key.workspace, "called": str(key.name)}).scalar()


def _found(connection: Connection, key: DatabaseKey) -> int:
    database_id = _find(connection, key)
    if database_id is None:
        raise UnknownDatabase(key.name)
    return database_id


def _touch(connection: Connection, database_id: int) -> None:
    connection.execute(_TOUCH, {"database": database_id})


def _infos(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[DatabaseInfo]:
    size = select(func.count()).select_from(images).where(images.c.database_id == databases.c.id).scalar_subquery()
    for row in connection.execute(select(databases, size.label("size")).where(wanted).order_by(databases.c.name)):
        key = DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name))
        yield DatabaseInfo(key, row.size, row.created_at, row.created_by, row.revision)


def _move_local(connection: Connection, workspace: WorkspaceId) -> None:
    # The embedded engine's rows move with ours, so that a database is never in two workspaces.
    both = (databases, embedded_databases)
    taken: set[str] = set()
    for table in both:
        taken.update(connection.execute(select(table.c.name).where(table.c.workspace == workspace)).scalars())
    for table in both:
        moving = (table.c.workspace == LOCAL) & table.c.name.not_in(taken)
        connection.execute(update(table).where(moving).values(workspace=workspace))


def _columns(record: ImageRecord) -> dict[str, Any]:
    origin = record.origin
    return {
        "data_id": record.data_id,
        "entity": str(record.entity),
        "note": str(record.note),
        "digest": record.digest,
        "source_digest": record.source_digest,
        "fingerprint": record.fingerprint,
        "width": record.width,
        "height": record.height,
        "created_at": record.added_at,
        "added_by": record.added_by,
        "source_name": record.source_name,
        "slack_file": origin.file_id if origin else None,
        "slack_channel": origin.channel if origin else None,
        "slack_message": origin.message_ts if origin else None,
        "slack_permalink": origin.permalink if origin else None,
    }


def _record(key: DatabaseKey, row: Row[Any]) -> ImageRecord:
    origin = None
    if row.slack_file is not None:
        origin = SlackOrigin(row.slack_file, row.slack_channel, row.slack_message, row.slack_permalink)
    return ImageRecord(
        database=key,
        data_id=DataId(row.data_id),
        entity=EntityId(row.entity),
        note=Note(row.note),
        digest=row.digest,
        source_digest=row.source_digest,
        fingerprint=row.fingerprint,
        width=row.width,
        height=row.height,
        added_at=row.created_at,
        added_by=row.added_by,
        source_name=row.source_name,
        origin=origin,
    )
