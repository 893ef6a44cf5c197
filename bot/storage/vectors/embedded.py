"""The embedded engine's rows in SQL, inside one transaction. ``store`` runs the transactions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from bot.domain.errors import DatabaseExists, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.storage.removals.tombstones import is_tombstone
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.paging import ListedDatabase, read_page
from bot.storage.sql.schema.tables import (
    embedded_databases,
    embedded_images,
    embedded_local_features,
    embedded_vectors,
)
from bot.storage.vectors.additions import SqlAddedRows
from bot.storage.vectors.deleted_databases import delete_database

LOAD_BATCH = 1024

_databases, _images, _vectors = embedded_databases.c, embedded_images.c, embedded_vectors.c

# Every search or add runs these. Built once, they cost little more than the work of the driver.
_STATE = select(
    _databases.id, _databases.model_id, _databases.revision, _databases.removals, _databases.calibration
).where(_databases.workspace == bindparam("workspace"), _databases.name == bindparam("name"))
_LOCKED_STATE = _STATE.with_for_update(key_share=True)
_LOCAL_FEATURES = select(embedded_local_features.c.vector_id, embedded_local_features.c.features).where(
    embedded_local_features.c.vector_id.in_(bindparam("some", expanding=True))
)
_IMAGE_DETAILS = (
    select(_vectors.id, _images.data_id, _images.entity, _images.note)
    .join_from(embedded_vectors, embedded_images, _vectors.image_id == _images.id)
    .where(_vectors.id.in_(bindparam("some", expanding=True)))
)
_EMBEDDINGS = (
    select(_images.entity_key, _vectors.embedding)
    .join_from(embedded_vectors, embedded_images, _vectors.image_id == _images.id)
    .where(_vectors.id.in_(bindparam("some", expanding=True)))
    .order_by(_vectors.id)
)


@dataclass(frozen=True, slots=True)
class EmbeddedDatabaseState:
    """A row of ``embedded_databases``."""

    id: int
    model_id: str | None
    revision: int
    removals: int
    calibration: str | None


class SqlVectorRows(SqlAddedRows):
    """Implements ``adapters.embedded.store.VectorRows``, which storage can't import.

    With ``writing``, ``state`` locks the database.
    """

    def __init__(self, connection: Connection, *, writing: bool = False) -> None:
        super().__init__(connection)
        self._unread: list[CursorResult[Any]] = []
        self._state = _LOCKED_STATE if writing else _STATE

    def close(self) -> None:
        """Close results that were not read to the end: server-side cursors must not outlive the transaction."""
        for result in self._unread:
            result.close()

    def state(self, key: DatabaseKey) -> EmbeddedDatabaseState:
        """Return the state of a database. Raises UnknownDatabase.

        A writer also locks the database until its transaction ends. Thus vectors are committed in the order of their
        ids, even if several processes write.
        """
        row = self._connection.execute(self._state, {"workspace": key.workspace, "name": str(key.name)}).first()
        if row is None:
            raise UnknownDatabase(key.name)
        return EmbeddedDatabaseState(*row)

    def create(self, key: DatabaseKey) -> None:
        """Create a database. Raises DatabaseExists."""
        take_advisory_locks(self._connection, "embedded databases", [f"{key.workspace} {key.name}"])
        if self._connection.execute(_STATE, {"workspace": key.workspace, "name": str(key.name)}).first():
            raise DatabaseExists(key.name)
        values = {"workspace": key.workspace, "name": str(key.name), "revision": 0, "removals": 0}
        self._connection.execute(insert(embedded_databases), values)

    def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        query = select(_databases.name).where(_databases.workspace == workspace)
        return tuple(DatabaseName(name) for name in sorted(self._connection.execute(query).scalars()))

    def models(self) -> list[tuple[DatabaseKey, str]]:
        """Return each database that has vectors and the id of their model, by workspace and name."""
        return [(key, model_id) for key, model_id in self._of_databases(_databases.model_id) if model_id is not None]

    def calibrations(self) -> list[tuple[DatabaseKey, str | None]]:
        """Return each database and its stored calibration, by workspace and name."""
        return self._of_databases(_databases.calibration)

    def _of_databases(self, column: ColumnElement[str | None]) -> list[tuple[DatabaseKey, str | None]]:
        query = select(_databases.workspace, _databases.name, column).where(~is_tombstone(embedded_databases))
        rows = self._connection.execute(query.order_by(_databases.workspace, _databases.name))
        return [(DatabaseKey(WorkspaceId(workspace), DatabaseName(name)), value) for workspace, name, value in rows]

    def delete(self, database_id: int) -> None:
        """Delete a database. Rows of a large one are deleted later, in batches, and nobody sees them any more."""
        delete_database(self._connection, database_id)

    def set_model(self, database_id: int, model_id: str) -> None:
        """Set the model whose vectors are searched."""
        self._touch(database_id, model_id=model_id)

    def set_calibration(self, database_id: int, calibration: str | None) -> None:
        """Set the calibration curve; None resets it."""
        self._touch(database_id, calibration=calibration)

    def data_ids(self, database_id: int) -> frozenset[DataId]:
        """Return the data ids of all images of a database."""
        query = select(_images.data_id).where(_images.database_id == database_id)
        return frozenset(DataId(data_id) for data_id in self._connection.execute(query).scalars())

    def remove(self, database_id: int, entity: EntityId, data_id: DataId | None) -> int:
        """Delete an entity's images, or one. Return how many."""
        wanted = [_images.database_id == database_id, _images.entity_key == entity.key]
        if data_id is not None:
            wanted.append(_images.data_id == data_id)
        removed = self._connection.execute(delete(embedded_images).where(*wanted)).rowcount
        if removed:
            self._touch(database_id, removals=_databases.removals + 1)
        return removed

    def rename(self, database_id: int, data_ids: Collection[DataId], entity: EntityId, at: datetime) -> int:
        """Give images another id. Return how many."""
        values = {"entity": str(entity), "entity_key": entity.key, "updated_at": at}
        renamed = 0
        for some in in_batches(tuple(data_ids)):
            wanted = (_images.database_id == database_id) & _images.data_id.in_(some)
            renamed += self._connection.execute(update(embedded_images).where(wanted).values(values)).rowcount
        if renamed:
            self._touch(database_id)
        return renamed

    def page(self, database_id: int, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of images. Raises InvalidInput for a token of another listing."""
        return read_page(
            self._connection,
            embedded_images,
            ListedDatabase(database_id, key),
            request,
            lambda row: ListedImage(
                DataId(row.data_id), EntityId(row.entity), Note(row.note), row.created_at, row.updated_at
            ),
        )

    def count_vectors(self, database_id: int, model_id: str) -> int:
        """Return the number of vectors that a model has in a database."""
        query = select(func.count()).where(_vectors.database_id == database_id, _vectors.model_id == model_id)
        return self._connection.execute(query).scalar_one()

    def vectors(self, database_id: int, model_id: str, after: int) -> Iterator[Sequence[tuple[int, bytes, bytes]]]:
        """Yield vectors with a row id above ``after`` in ascending order, in batches of LOAD_BATCH.

        Each is row id, embedding and fingerprint.
        """
        query = (
            select(_vectors.id, _vectors.embedding, _vectors.fingerprint)
            .where(_vectors.database_id == database_id, _vectors.model_id == model_id, _vectors.id > after)
            .order_by(_vectors.id)
            .execution_options(yield_per=LOAD_BATCH)
        )
        with self._connection.execute(query) as result:
            self._unread.append(result)
            for rows in result.partitions():
                yield [(row[0], row[1], row[2]) for row in rows]

    def vector_ids(self, database_id: int, model_id: str) -> Sequence[int]:
        """Return all row ids of a model's vectors, in ascending order."""
        query = select(_vectors.id).where(_vectors.database_id == database_id, _vectors.model_id == model_id)
        return self._connection.execute(query.order_by(_vectors.id)).scalars().all()

    def vector_ids_of(self, database_id: int, model_id: str, data_ids: Collection[DataId]) -> frozenset[int]:
        """Return the row ids of a model's vectors of these images."""
        of_model = (_images.database_id == database_id) & (_vectors.model_id == model_id)
        query = select(_vectors.id).join_from(embedded_vectors, embedded_images, _vectors.image_id == _images.id)
        found: set[int] = set()
        for some in in_batches(tuple(data_ids)):
            found.update(self._connection.execute(query.where(of_model, _images.data_id.in_(some))).scalars())
        return frozenset(found)

    def local_features(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Return the stored local features of vectors, by row id. Vectors without any are left out."""
        return self._features(_LOCAL_FEATURES, row_ids)

    def image_details(self, row_ids: Sequence[int]) -> Mapping[int, tuple[DataId, EntityId, Note]]:
        """Return data id, entity and note of the vectors' images, by row id of the vector."""
        found = {}
        for some in in_batches(row_ids):
            for row_id, data_id, entity, note in self._connection.execute(_IMAGE_DETAILS, {"some": some}):
                found[row_id] = (DataId(data_id), EntityId(entity), Note(note))
        return found

    def embeddings(self, row_ids: Sequence[int]) -> Iterable[tuple[str, bytes]]:
        """Yield the entity's key and the embedding of vectors."""
        for some in in_batches(row_ids):
            rows = self._connection.execute(_EMBEDDINGS, {"some": some})
            yield from ((key, embedding) for key, embedding in rows)

    def _touch(self, database_id: int, **values: object) -> None:
        changed = update(embedded_databases).where(_databases.id == database_id)
        self._connection.execute(changed.values(revision=_databases.revision + 1, **values))
