"""The URLs of images added through our own server of the hosted API, in SQL, because back ends don't store URLs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, tuple_

from bot.domain.identifiers import (
    API_WORKSPACE_PREFIX,
    DatabaseKey,
    DatabaseName,
    DataId,
    EntityId,
    WorkspaceId,
)
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import api_image_urls, embedded_databases, hosted_databases

FORGOTTEN_AT_ONCE = 100

_columns = api_image_urls.c


class SqlApiImages:
    """Implements ``api.ports.ImageUrls``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, key: DatabaseKey, data_id: DataId, entity: EntityId, url: str) -> None:
        """Record the URL from which an image was added."""
        values = {
            "workspace": key.workspace,
            "database": str(key.name),
            "data_id": data_id,
            "entity": str(entity),
            "url": url,
        }

        def work(connection: Connection) -> None:
            connection.execute(insert(api_image_urls).values(values))

        await self._database.defer(work)

    async def urls(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, str]:
        """Return the URLs of these images, by data id. Unknown images are left out."""
        wanted = list(data_ids)
        query = select(_columns.data_id, _columns.url).where(_in(key))

        def work(connection: Connection) -> dict[DataId, str]:
            return {
                DataId(data_id): url
                for some in in_batches(wanted)
                for data_id, url in connection.execute(query.where(_columns.data_id.in_(some)))
            }

        return await self._database.read(work)

    async def forget_entity(self, key: DatabaseKey, entity: EntityId) -> None:
        """Delete the URLs of an entity's images."""
        await self._delete(_in(key) & (_columns.entity == str(entity)))

    async def forget_database(self, key: DatabaseKey) -> None:
        """Delete all URLs of a database, in short transactions."""
        while await self._database.write(lambda connection: _forget_some(connection, _in(key))):
            pass

    async def databases(self) -> tuple[DatabaseKey, ...]:
        """Return the databases of all API keys in all back ends, also of keys that were taken away."""

        def work(connection: Connection) -> tuple[DatabaseKey, ...]:
            keys = {
                DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name))
                for table in (embedded_databases, hosted_databases)
                for row in connection.execute(
                    select(table.c.workspace, table.c.name).where(table.c.workspace.startswith(API_WORKSPACE_PREFIX))
                )
            }
            return tuple(sorted(keys))

        return await self._database.read(work)

    async def forget_deleted_databases(self) -> int:
        """Delete URLs of databases that no back end has any more, in short transactions. Return how many."""
        named = (_columns.workspace, _columns.database)
        unused = and_(
            *(
                ~exists().where(table.c.workspace == named[0], table.c.name == named[1])
                for table in (embedded_databases, hosted_databases)
            )
        )
        forgotten = 0
        while some := await self._database.write(lambda connection: _forget_some(connection, unused)):
            forgotten += some
        return forgotten

    async def _delete(self, which: ColumnElement[bool]) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(api_image_urls).where(which))

        await self._database.write(work)


def _forget_some(connection: Connection, which: ColumnElement[bool]) -> int:
    columns = (_columns.workspace, _columns.database, _columns.data_id)
    rows = connection.execute(select(*columns).where(which).limit(FORGOTTEN_AT_ONCE)).all()
    if rows:
        chosen = tuple_(*columns).in_([tuple(row) for row in rows])
        connection.execute(delete(api_image_urls).where(chosen))
    return len(rows)


def _in(key: DatabaseKey) -> ColumnElement[bool]:
    return (_columns.workspace == key.workspace) & (_columns.database == str(key.name))
