"""The catalogue in SQL: images, entities, notes and origins, for every back end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, update

from bot.domain.catalogue import DatabaseInfo, ImageRecord, Origin, OriginScope, RemovedOrigins
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import Page, PageRequest
from bot.storage.catalogue.deleted_databases import delete_database
from bot.storage.catalogue.image_changes import (
    add_images,
    add_origin,
    read_spellings,
    remove_images,
    remove_origins,
    rename_images,
    set_note,
)
from bot.storage.catalogue.marks import check_unchanged, ids_until, mark_of
from bot.storage.catalogue.origins import (
    find_records,
    has_operator_origin,
    images_in_scope,
    read_records,
    records_of_entity,
    records_with,
)
from bot.storage.catalogue.ownership import forget_slack, move_database, record_workspace, return_to_operator
from bot.storage.catalogue.rows import (
    KnownSizes,
    count_entities,
    create_database,
    database_id_of,
    database_infos,
    find_entities,
)
from bot.storage.catalogue.visibility import (
    count_hidden,
    has_prefix_seen,
    has_visible_origin,
    hidden_data_ids,
    read_channels,
)
from bot.storage.catalogue.workspaces import read_connected, read_workspaces, read_workspaces_of
from bot.storage.sql.database import Database
from bot.storage.sql.paging import ListedDatabase, read_page
from bot.storage.sql.schema.tables import databases, images, workspaces


class SqlCatalogue:
    """Implements ``storage.ports.catalogue.Catalogue``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock
        self._known_sizes = KnownSizes()

    async def create_database(self, key: DatabaseKey, created_by: str = "") -> None:
        """Create a database. Raises DatabaseExists."""
        await self._database.write(lambda connection: create_database(connection, key, created_by, self._clock()))

    async def delete_database(self, key: DatabaseKey, mark: str = "") -> None:
        """Delete a database and the records of its images. Large ones are hidden, and deleted by ``purge_some``.

        Raises ChangedSince if images were added after a mark.
        """

        def work(connection: Connection) -> None:
            database_id = database_id_of(connection, key, update_lock=True)
            check_unchanged(connection, key, database_id, mark)
            delete_database(connection, database_id, self._clock())

        await self._database.write(work)

    async def mark(self, key: DatabaseKey) -> str:
        """Return a mark of the database's present images. A deletion with this mark leaves later images alone."""
        return await self._database.read(lambda connection: mark_of(connection, database_id_of(connection, key)))

    async def ids_of_entity(self, key: DatabaseKey, entity: EntityId, limit: int, mark: str = "") -> tuple[DataId, ...]:
        """Return the data ids of up to ``limit`` images of an entity, oldest first, up to a mark."""
        return await self._database.read(lambda connection: ids_until(connection, key, entity, limit, mark))

    async def databases(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """Return the workspace's databases with their sizes, by name."""
        sizes = KnownSizes() if self._database.in_unit else self._known_sizes

        def work(connection: Connection) -> tuple[DatabaseInfo, ...]:
            return tuple(database_infos(connection, databases.c.workspace == workspace, sizes))

        return await self._database.read(work)

    async def database(self, key: DatabaseKey) -> DatabaseInfo:
        """Return a database with its size. Raises UnknownDatabase."""
        sizes = KnownSizes() if self._database.in_unit else self._known_sizes

        def work(connection: Connection) -> DatabaseInfo:
            for info in database_infos(connection, _is(key), sizes):
                return info
            raise UnknownDatabase(key.name)

        return await self._database.read(work)

    async def workspaces(self) -> tuple[WorkspaceId, ...]:
        """Return the workspaces that are connected or own a database."""
        return await self._database.read(read_workspaces)

    async def connected(self) -> tuple[tuple[WorkspaceId, str], ...]:
        """Return the connected workspaces, each with its Enterprise Grid organisation (empty if it has none)."""
        return await self._database.read(read_connected)

    async def workspaces_of(self, enterprise: str) -> tuple[WorkspaceId, ...]:
        """Return the connected workspaces of an Enterprise Grid organisation."""
        return await self._database.read(lambda connection: read_workspaces_of(connection, enterprise))

    async def record_workspace(
        self, workspace: WorkspaceId, enterprise: str = "", *, adopts_local: bool = False
    ) -> None:
        """Record a connected workspace.

        With ``adopts_local``, it gets the databases of LOCAL_WORKSPACE if it is the only connected one, except those
        whose names it uses already.
        """
        if workspace == LOCAL_WORKSPACE:
            return

        def work(connection: Connection) -> None:
            record_workspace(connection, workspace, enterprise, self._clock(), adopts_local=adopts_local)

        await self._database.write(work)

    async def give_local(self, name: DatabaseName, workspace: WorkspaceId) -> None:
        """Give a database of LOCAL_WORKSPACE to a workspace. Raises UnknownDatabase and DatabaseExists."""
        old, new = DatabaseKey(LOCAL_WORKSPACE, name), DatabaseKey(workspace, name)
        await self._database.write(lambda connection: move_database(connection, old, new))

    async def add(self, *records: ImageRecord) -> None:
        """Record images of one database. See the port."""
        if records:
            await self._database.defer(lambda connection: add_images(connection, records[0].database, records))

    async def add_origin(self, key: DatabaseKey, digest: str, origin: Origin) -> EntityId | None:
        """Add an origin to the image with exactly these pixels, unless it has this one.

        Return the image's entity; None if there is no such image.
        """
        return await self._database.write(lambda connection: add_origin(connection, key, digest, origin))

    async def remove_origins(self, key: DatabaseKey, data_id: DataId, scope: OriginScope) -> RemovedOrigins:
        """Take those of an image's origins away that are in the scope, and the image's record with the last one."""
        return await self._database.write(
            lambda connection: remove_origins(connection, key, data_id, scope, self._clock())
        )

    async def has_operator_images(self, key: DatabaseKey) -> bool:
        """Return whether the operator added an image to the database."""

        def work(connection: Connection) -> bool:
            in_database = images.c.database_id == database_id_of(connection, key)
            query = select(images.c.id).where(in_database, has_operator_origin()).limit(1)
            return connection.execute(query).first() is not None

        return await self._database.read(work)

    async def forget_slack(self, key: DatabaseKey, limit: int) -> int:
        """Take what came from Slack out of up to ``limit`` origins that the operator imported. Return how many."""
        return await self._database.write(lambda connection: forget_slack(connection, key, limit))

    async def return_to_operator(self, key: DatabaseKey, revision: int) -> DatabaseKey | None:
        """Make a database of this revision local again, and return its key; None if it has another revision.

        If its name is taken, the database gets a number.
        """
        return await self._database.write(lambda connection: return_to_operator(connection, key, revision))

    async def with_origins(self, scope: OriginScope, limit: int) -> tuple[ImageRecord, ...]:
        """Return up to ``limit`` images that have an origin in the scope, oldest first, with all their origins."""
        query = images_in_scope(scope).limit(limit)
        return await self._database.read(lambda connection: find_records(connection, query))

    async def imported_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> frozenset[str]:
        """Return those of the digests of original files from which the operator added an image to the database."""
        return frozenset(await self._entities(key, images.c.source_digest, source_digests, has_operator_origin()))

    async def images_of_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> Mapping[str, ImageRecord]:
        """Return the images that were added from original files with these digests, by digest."""
        records = await self._records(key, images.c.source_digest, source_digests)
        return {record.source_digest: record for record in records}

    async def known_pictures(self, key: DatabaseKey, digests: Iterable[str]) -> Mapping[str, EntityId]:
        """Return the entities of the images with exactly these pixels, by digest."""
        return await self._entities(key, images.c.digest, digests)

    async def _entities(
        self, key: DatabaseKey, column: ColumnElement[str], digests: Iterable[str], *further: ColumnElement[bool]
    ) -> dict[str, EntityId]:
        wanted = list(digests)
        return await self._database.read(lambda connection: find_entities(connection, key, column, wanted, *further))

    async def records(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, ImageRecord]:
        """Return the records of these images. Unknown ids are left out."""
        return {record.data_id: record for record in await self._records(key, images.c.data_id, data_ids)}

    async def _records(self, key: DatabaseKey, column: ColumnElement[str], values: Iterable[str]) -> list[ImageRecord]:
        wanted = list(values)
        return await self._database.read(lambda connection: records_with(connection, key, column, wanted))

    async def origin_channels(self, key: DatabaseKey) -> tuple[tuple[str, ChannelKind], ...]:
        """Return the conversations that a database's images came from at some time, with the kinds they had."""
        return await self._database.read(lambda connection: read_channels(connection, database_id_of(connection, key)))

    async def count_hidden(self, key: DatabaseKey, visible: VisibleOrigins) -> int:
        """Return how many images of a database have no visible origin."""
        return await self._database.read(
            lambda connection: count_hidden(connection, database_id_of(connection, key), visible)
        )

    async def hidden_images(self, key: DatabaseKey, visible: VisibleOrigins, limit: int) -> frozenset[DataId]:
        """Return up to ``limit`` images of a database that have no visible origin."""

        def work(connection: Connection) -> frozenset[DataId]:
            found = hidden_data_ids(connection, database_id_of(connection, key), visible, limit)
            return frozenset(DataId(data_id) for data_id in found)

        return await self._database.read(work)

    async def page(
        self, key: DatabaseKey, request: PageRequest, visible: VisibleOrigins | None = None
    ) -> Page[ImageRecord]:
        """Return a page of records, with ``visible`` only of images that have such an origin.

        Raises InvalidInput for a token of another listing.
        """

        def work(connection: Connection) -> Page[ImageRecord]:
            owner = ListedDatabase(database_id_of(connection, key), key)
            shown = [] if visible is None else has_visible_origin(connection, owner.row_id, visible)
            # Readers may not find out ids that were given where they can't read.
            by_prefix = has_prefix_seen(request.entity_prefix, visible) if visible and request.entity_prefix else None
            page = read_page(connection, images, owner, request, lambda row: row, *shown, by_prefix=by_prefix)
            return Page(read_records(connection, key, page.items), page.total, page.token)

        return await self._database.read(work)

    async def count_entities(self, key: DatabaseKey, prefix: str = "") -> int:
        """Return how many ids the images of a database have, or how many that begin with a prefix."""
        return await self._database.read(lambda connection: count_entities(connection, key, prefix))

    async def remove(
        self, key: DatabaseKey, entity: EntityId, data_id: DataId | None = None
    ) -> tuple[ImageRecord, ...]:
        """Delete the records of an entity's images, or of one of them. Return the deleted records."""
        return await self._database.write(
            lambda connection: remove_images(connection, key, entity, data_id, self._clock())
        )

    async def spellings(self, key: DatabaseKey, entities: Iterable[EntityId]) -> Mapping[str, EntityId]:
        """Return how the database writes those of the ids that it has, by their keys."""
        wanted = [entity.key for entity in entities]
        return await self._database.read(lambda connection: read_spellings(connection, key, wanted))

    async def rename(self, records: Iterable[ImageRecord], entity: EntityId) -> int:
        """Change the id that these records show, which are of one database. Return how many images are changed."""
        wanted = list(records)
        return await self._database.write(lambda connection: rename_images(connection, wanted, entity))

    async def set_note(self, records: Iterable[ImageRecord], note: Note) -> int:
        """Give the origins of these records, which are of one database, a note. Return how many images have any."""
        wanted = list(records)
        return await self._database.write(lambda connection: set_note(connection, wanted, note))

    async def set_hints(self, key: DatabaseKey, *, hints_at_hidden: bool) -> None:
        """Set whether searchers are told that images which they may not see matched."""
        await self._set(key, {"hints_at_hidden": hints_at_hidden})

    async def set_link(self, key: DatabaseKey, template: str) -> None:
        """Set the template of the link for each id; empty for none."""
        await self._set(key, {"link": template})

    async def _set(self, key: DatabaseKey, values: Mapping[str, Any]) -> None:
        def work(connection: Connection) -> None:
            wanted = databases.c.id == database_id_of(connection, key)
            connection.execute(update(databases).where(wanted).values(values))

        await self._database.write(work)

    async def with_digest(self, key: DatabaseKey, digest: str) -> ImageRecord | None:
        """Return the image with exactly these pixels."""
        return next(iter(await self._records(key, images.c.digest, [digest])), None)

    async def of_entity(self, key: DatabaseKey, entity: EntityId, *, or_given: bool = False) -> tuple[ImageRecord, ...]:
        """Return the images of an entity, oldest first.

        With ``or_given``, also those that were given it at one of their origins.
        """
        return await self._database.read(
            lambda connection: records_of_entity(connection, key, entity, or_given=or_given)
        )

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
