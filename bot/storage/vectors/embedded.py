"""The embedded engine's rows in SQL: implements ``adapters.embedded.store``, which storage may not import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, bindparam, delete, exists, func, insert, select, update

from bot.domain.errors import DatabaseExists, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.storage.catalogue.rows import in_batches
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.paging import ListedDatabase, read_page
from bot.storage.sql.schema.tables import embedded_databases, embedded_images, embedded_local_features, embedded_vectors

T = TypeVar("T")
LOAD_BATCH = 1024

_databases, _images, _vectors = embedded_databases.c, embedded_images.c, embedded_vectors.c

# A search or an add runs these: made once, they cost little more than the driver's own work.
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
_IMAGE_WITHOUT_VECTOR = select(_images.id).where(
    _images.id == bindparam("image"),
    ~exists().where(_vectors.image_id == bindparam("image"), _vectors.model_id == bindparam("model")),
)
_TOUCH = (
    update(embedded_databases).where(_databases.id == bindparam("database")).values(revision=_databases.revision + 1)
)
_NEW_IMAGE, _NEW_VECTOR, _NEW_LOCAL_FEATURES = (
    insert(embedded_images),
    insert(embedded_vectors),
    insert(embedded_local_features),
)


@dataclass(frozen=True, slots=True)
class EmbeddedDatabaseState:
    """One row of embedded_databases."""

    id: int
    model_id: str | None
    revision: int
    removals: int
    calibration: str | None


class SqlVectorRows:
    """The rows, inside one transaction."""

    def __init__(self, connection: Connection, *, writing: bool = False) -> None:
        self._connection = connection
        self._unread: list[CursorResult[Any]] = []
        self._state = _LOCKED_STATE if writing else _STATE

    def close(self) -> None:
        """Let go of what was not read to its end: a cursor of the server must not outlive the transaction."""
        for result in self._unread:
            result.close()

    def state(self, key: DatabaseKey) -> EmbeddedDatabaseState:
        """Raises UnknownDatabase. For a writer the database is its own from here on, until its transaction ends.

        So new vectors come in the order of their ids, also where several processes write at once.
        """
        row = self._connection.execute(self._state, {"workspace": key.workspace, "name": str(key.name)}).first()
        if row is None:
            raise UnknownDatabase(key.name)
        return EmbeddedDatabaseState(*row)

    def create(self, key: DatabaseKey) -> None:
        """Raises DatabaseExists."""
        take_advisory_locks(self._connection, "embedded databases", [f"{key.workspace} {key.name}"])
        if self._connection.execute(_STATE, {"workspace": key.workspace, "name": str(key.name)}).first():
            raise DatabaseExists(key.name)
        values = {"workspace": key.workspace, "name": str(key.name), "revision": 0, "removals": 0}
        self._connection.execute(insert(embedded_databases), values)

    def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """By name."""
        query = select(_databases.name).where(_databases.workspace == workspace)
        return tuple(DatabaseName(name) for name in sorted(self._connection.execute(query).scalars()))

    def models(self) -> list[tuple[DatabaseKey, str]]:
        """Each database that has vectors, with the id of the model that made them, by workspace and name."""
        query = select(_databases.workspace, _databases.name, _databases.model_id).where(
            _databases.model_id.is_not(None)
        )
        rows = self._connection.execute(query.order_by(_databases.workspace, _databases.name))
        return [(DatabaseKey(WorkspaceId(row.workspace), DatabaseName(row.name)), row.model_id) for row in rows]

    def delete(self, database_id: int) -> None:
        """The database and all its rows."""
        self._connection.execute(delete(embedded_databases).where(_databases.id == database_id))

    def set_model(self, database_id: int, model_id: str) -> None:
        """Search this model's vectors from now on."""
        self._touch(database_id, model_id=model_id)

    def set_calibration(self, database_id: int, calibration: str | None) -> None:
        """Keep a score curve."""
        self._touch(database_id, calibration=calibration)

    def add_image(self, database_id: int, data_id: DataId, entity: EntityId, note: Note, at: datetime) -> int:
        """The new image's row id."""
        values = {
            "database_id": database_id,
            "data_id": data_id,
            "entity": str(entity),
            "note": str(note),
            "created_at": at,
            "updated_at": at,
        }
        key = self._connection.execute(_NEW_IMAGE, values).inserted_primary_key
        self._connection.execute(_TOUCH, {"database": database_id})
        assert key is not None
        return int(key[0])

    def has(self, database_id: int, data_id: DataId) -> bool:
        """Whether the image is there."""
        query = select(_images.id).where(_images.database_id == database_id, _images.data_id == data_id)
        return self._connection.execute(query).first() is not None

    def data_ids(self, database_id: int) -> frozenset[DataId]:
        """All of a database."""
        query = select(_images.data_id).where(_images.database_id == database_id)
        return frozenset(DataId(data_id) for data_id in self._connection.execute(query).scalars())

    def add_vector(self, database_id: int, image_id: int, model_id: str, features: tuple[bytes, bytes, bytes]) -> None:
        """What a model saw in an image; nothing happens if the image is gone or has it already."""
        if self._connection.execute(_IMAGE_WITHOUT_VECTOR, {"image": image_id, "model": model_id}).first() is None:
            return
        values = vector_values(database_id, image_id, model_id, features)
        key = self._connection.execute(_NEW_VECTOR, values).inserted_primary_key
        assert key is not None
        if local_features := features[2]:
            self._connection.execute(_NEW_LOCAL_FEATURES, {"vector_id": key[0], "features": local_features})

    def remove(self, database_id: int, entity: EntityId, data_id: DataId | None) -> int:
        """Delete the entity's images, or one; how many."""
        wanted = [_images.database_id == database_id, _images.entity == str(entity)]
        if data_id is not None:
            wanted.append(_images.data_id == data_id)
        removed = self._connection.execute(delete(embedded_images).where(*wanted)).rowcount
        if removed:
            self._touch(database_id, removals=_databases.removals + 1)
        return removed

    def page(self, database_id: int, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Raises InvalidInput for a strange token."""
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
        """How many a load would give."""
        query = select(func.count()).where(_vectors.database_id == database_id, _vectors.model_id == model_id)
        return self._connection.execute(query).scalar_one()

    def vectors(self, database_id: int, model_id: str, after: int) -> Iterator[Sequence[tuple[int, bytes, bytes]]]:
        """Those with a row id beyond ``after``, ascending, in groups that are small in memory."""
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
        """All row ids, ascending."""
        query = select(_vectors.id).where(_vectors.database_id == database_id, _vectors.model_id == model_id)
        return self._connection.execute(query.order_by(_vectors.id)).scalars().all()

    def local_features(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """By row id of the vector."""
        found: dict[int, bytes] = {}
        for some in in_batches(row_ids):
            rows = self._connection.execute(_LOCAL_FEATURES, {"some": some})
            found.update((row_id, features) for row_id, features in rows)
        return found

    def image_details(self, row_ids: Sequence[int]) -> Mapping[int, tuple[DataId, EntityId, Note]]:
        """What was said of the images, by row id of the vector."""
        found = {}
        for some in in_batches(row_ids):
            for row_id, data_id, entity, note in self._connection.execute(_IMAGE_DETAILS, {"some": some}):
                found[row_id] = (DataId(data_id), EntityId(entity), Note(note))
        return found

    def embeddings(self, row_ids: Sequence[int]) -> Iterable[tuple[EntityId, bytes]]:
        """Entity and embedding of some vectors."""
        pairs = select(_images.entity, _vectors.embedding).join_from(
            embedded_vectors, embedded_images, _vectors.image_id == _images.id
        )
        for some in in_batches(row_ids):
            for entity, embedding in self._connection.execute(pairs.where(_vectors.id.in_(some)).order_by(_vectors.id)):
                yield EntityId(entity), embedding

    def images_without_vector(
        self, database_id: int, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, DataId]]:
        """Images (row id, data id) beyond ``after`` in which the model has not looked yet, ascending."""
        seen = select(_vectors.id).where(_vectors.image_id == _images.id, _vectors.model_id == model_id)
        query = (
            select(_images.id, _images.data_id)
            .where(_images.database_id == database_id, _images.id > after, ~seen.exists())
            .order_by(_images.id)
            .limit(limit)
        )
        return [(row_id, DataId(data_id)) for row_id, data_id in self._connection.execute(query)]

    def drop_other_vectors(self, database_id: int, model_id: str, limit: int) -> int:
        """Delete some vectors of other models; how many went."""
        query = select(_vectors.id).where(_vectors.database_id == database_id, _vectors.model_id != model_id)
        ids = self._connection.execute(query.limit(limit)).scalars().all()
        for some in in_batches(ids):
            self._connection.execute(delete(embedded_vectors).where(_vectors.id.in_(some)))
        return len(ids)

    def _touch(self, database_id: int, **values: object) -> None:
        changed = update(embedded_databases).where(_databases.id == database_id)
        self._connection.execute(changed.values(revision=_databases.revision + 1, **values))


class SqlVectorStore:
    """Implements ``adapters.embedded.store.VectorStore``."""

    _rows: type[SqlVectorRows] = SqlVectorRows

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, work: Callable[[SqlVectorRows], T]) -> T:
        """Run on a snapshot; inside a unit that has written, on the unit's own view."""
        return await self._database.read(lambda connection: _done(work, self._rows(connection)))

    async def snapshot(self, work: Callable[[SqlVectorRows], T]) -> T:
        """Run on what is committed, even inside a unit."""
        return await self._database.snapshot(lambda connection: _done(work, self._rows(connection)))

    async def write(self, work: Callable[[SqlVectorRows], T]) -> T:
        """Run in a transaction, which is committed on disk when this returns, or in the unit's."""
        return await self._database.write(lambda connection: _done(work, self._rows(connection, writing=True)))

    async def defer(self, work: Callable[[SqlVectorRows], None]) -> None:
        """The same, for work without a result: inside a unit it may wait for its end."""
        await self._database.defer(lambda connection: _done(work, self._rows(connection, writing=True)))


def _done(work: Callable[[SqlVectorRows], T], rows: SqlVectorRows) -> T:
    with closing(rows):
        return work(rows)


def vector_values(
    database_id: int, image_id: int, model_id: str, features: tuple[bytes, bytes, bytes]
) -> dict[str, Any]:
    """What a row of ``embedded_vectors`` is made of; the sketch, last of the features, has a table of its own."""
    embedding, fingerprint, _ = features
    return {
        "image_id": image_id,
        "database_id": database_id,
        "model_id": model_id,
        "embedding": embedding,
        "fingerprint": fingerprint,
    }
