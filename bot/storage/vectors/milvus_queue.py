"""The queue of changes that Milvus lacks: vectors to write, and vectors to delete. Any process may work it off.

A change is claimed in one short transaction, made in Milvus outside of it, and settled in another. A vector that is
deleted while it is being written becomes a deletion of its own, which runs only after the claim has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    text,
    update,
)

from bot.domain.identifiers import DatabaseKey, DataId
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.columns import ROW_ID, UtcTime
from bot.storage.sql.schema.tables import embedded_databases, embedded_images, embedded_vectors
from bot.storage.vectors import milvus_tables
from bot.storage.vectors.milvus_tables import DELETING, STORED, WAITING, milvus_compactions, milvus_rows

CLAIM = timedelta(minutes=5)
"""How long a process may take for a claim. Afterwards others take it over, because the process has died."""

COMPACT_EVERY, COMPACT_AGAIN = timedelta(days=1), timedelta(hours=1)
"""How long deleted vectors may stay in Milvus's files until it is told to compact them; longer if that fails."""

QUEUE_BATCH = 2000
_rows, _vectors, _compactions = milvus_rows.c, embedded_vectors.c, milvus_compactions.c
_LOCK = "milvus"

_CHANGES = (
    select(milvus_rows, embedded_databases.c.workspace, _vectors.embedding)
    .outerjoin_from(milvus_rows, embedded_vectors, _vectors.id == _rows.vector_id)
    .outerjoin(embedded_databases, embedded_databases.c.id == _rows.database_id)
)
_WRITTEN_UNTIL = text(
    "INSERT INTO milvus_databases (database_id, written_until) VALUES (:database, :timestamp)"
    " ON CONFLICT (database_id) DO UPDATE SET written_until = excluded.written_until"
    " WHERE milvus_databases.written_until < excluded.written_until"
).bindparams(bindparam("database", type_=ROW_ID), bindparam("timestamp", type_=BigInteger()))


@dataclass(frozen=True, slots=True)
class VectorChange:
    """A claimed change. ``embedding`` is None for a deletion; ``again``: Milvus may have the vector already."""

    vector_id: int
    database_id: int
    model_id: str
    workspace: str
    again: bool
    embedding: bytes | None


_COUNT_DELETIONS = text(
    "INSERT INTO milvus_compactions (model_id, deletions, due_at) VALUES (:model, :deletions, :due)"
    " ON CONFLICT (model_id) DO UPDATE SET deletions = milvus_compactions.deletions + excluded.deletions,"
    " due_at = CASE WHEN milvus_compactions.deletions = 0 THEN excluded.due_at ELSE milvus_compactions.due_at END"
).bindparams(bindparam("deletions", type_=BigInteger()), bindparam("due", type_=UtcTime()))


class SqlMilvusQueue:
    """Implements ``adapters.milvus.ports.MilvusQueue``."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def open(self) -> None:
        """Create the tables if needed, and queue vectors that were added before. Raises BackendError."""
        if not await self._database.read(milvus_tables.exist):
            await self._database.write(_create)
        queued, after = 1, 0
        while queued:
            queued, after = await self._database.write(
                partial(milvus_tables.queue_missing, after=after, limit=QUEUE_BATCH)
            )

    async def drop(self) -> None:
        """Drop the queue's tables. The vectors stay."""
        await self._database.write(_drop)

    async def is_open(self) -> bool:
        """Return whether the queue exists, so that Milvus may have vectors."""
        return await self._database.read(milvus_tables.exist)

    async def claim(self, limit: int) -> Sequence[VectorChange]:
        """Claim up to ``limit`` changes that nobody else makes, in the order of their vectors."""
        if not await self._database.snapshot(self._has_due):
            return ()
        return await self._database.write(partial(_claim, self._clock(), limit))

    async def settle(
        self, written: Collection[int], deleted: Collection[int], written_until: Mapping[int, int]
    ) -> None:
        """Record which vectors were written and deleted. ``written_until``: Milvus's timestamp, by database."""
        await self._database.write(partial(_settle, list(written), list(deleted), written_until, self._clock()))

    async def release(self, vector_ids: Collection[int]) -> None:
        """Give claimed changes back, because they failed. Milvus may have made some of them."""
        ids = list(vector_ids)

        def work(connection: Connection) -> None:
            for some in in_batches(ids):
                released = update(milvus_rows).where(_rows.vector_id.in_(some))
                connection.execute(released.values(claimed_until=None))

        await self._database.write(work)

    async def requeue_model(self, model_id: str) -> None:
        """Write all vectors of a model once more, because Milvus lost its collection."""
        lost = (_rows.model_id == model_id) & (_rows.state == STORED)
        await self._database.write(
            lambda connection: _run(connection, update(milvus_rows).where(lost).values(state=WAITING, again=True))
        )

    async def requeue_images(self, key: DatabaseKey, data_ids: Collection[DataId]) -> None:
        """Write the vectors of these images once more, because Milvus may lack them."""
        await self._database.write(partial(_requeue_images, key, list(data_ids)))

    async def pending(self) -> int:
        """Return the number of changes that are still to be made."""
        query = select(func.count()).select_from(milvus_rows).where(_rows.state != STORED)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())

    async def models(self) -> Sequence[str]:
        """Return the models that have vectors in Milvus, or will have."""

        # One look-up in the index for each model, rather than reading all rows.
        def work(connection: Connection) -> list[str]:
            models: list[str] = []
            query = select(func.min(_rows.model_id))
            while (found := connection.execute(query).scalar()) is not None:
                models.append(found)
                query = select(func.min(_rows.model_id)).where(_rows.model_id > found)
            return models

        return await self._database.read(work)

    async def claim_compaction(self) -> tuple[str, int] | None:
        """Return a model whose collection is to be compacted, and the number of its deletions; None if none is due."""
        due = (_compactions.deletions > 0) & (_compactions.due_at < self._clock())
        query = select(_compactions.model_id, _compactions.deletions).where(due).limit(1)

        def work(connection: Connection) -> tuple[str, int] | None:
            row = connection.execute(query.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            chosen = update(milvus_compactions).where(_compactions.model_id == row[0])
            connection.execute(chosen.values(due_at=self._clock() + COMPACT_AGAIN))
            return row[0], row[1]

        return await self._database.write(work)

    async def finish_compaction(self, model_id: str, deletions: int) -> None:
        """Record that so many deletions of a model were compacted."""
        values = {"deletions": _compactions.deletions - deletions, "due_at": self._clock() + COMPACT_EVERY}
        finished = update(milvus_compactions).where(_compactions.model_id == model_id).values(values)
        await self._database.write(lambda connection: _run(connection, finished))

    async def existing_among(self, vector_ids: Collection[int]) -> frozenset[int]:
        """Return those of the vectors that exist."""

        def work(connection: Connection) -> frozenset[int]:
            found: set[int] = set()
            for some in in_batches(list(vector_ids)):
                found.update(connection.execute(select(_vectors.id).where(_vectors.id.in_(some))).scalars())
            return frozenset(found)

        return await self._database.read(work)

    async def vectors_of(self, key: DatabaseKey, model_id: str) -> Mapping[int, DataId]:
        """Return the data ids of a database's images by the row ids of their vectors."""
        query = (
            select(_vectors.id, embedded_images.c.data_id)
            .join_from(embedded_vectors, embedded_images, _vectors.image_id == embedded_images.c.id)
            .join(embedded_databases, embedded_databases.c.id == embedded_images.c.database_id)
            .where(embedded_databases.c.workspace == key.workspace, embedded_databases.c.name == str(key.name))
            .where(_vectors.model_id == model_id)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {vector_id: DataId(data_id) for vector_id, data_id in rows}

    def _has_due(self, connection: Connection) -> bool:
        query = select(_rows.vector_id).where(_is_due(self._clock())).limit(1)
        return connection.execute(query).first() is not None


def _is_due(now: datetime) -> ColumnElement[bool]:
    return (_rows.state != STORED) & or_(_rows.claimed_until.is_(None), _rows.claimed_until < now)


def _create(connection: Connection) -> None:
    take_advisory_locks(connection, _LOCK)
    milvus_tables.create(connection)


def _drop(connection: Connection) -> None:
    take_advisory_locks(connection, _LOCK)
    milvus_tables.drop(connection)


def _claim(now: datetime, limit: int, connection: Connection) -> list[VectorChange]:
    due = select(_rows.vector_id).where(_is_due(now)).order_by(_rows.vector_id).limit(limit)
    ids = connection.execute(due.with_for_update(skip_locked=True)).scalars().all()
    changes: list[VectorChange] = []
    for some in in_batches(ids):
        for row in connection.execute(_CHANGES.where(_rows.vector_id.in_(some)).order_by(_rows.vector_id)):
            embedding = row.embedding if row.state == WAITING else None
            changes.append(
                VectorChange(row.vector_id, row.database_id, row.model_id, row.workspace or "", row.again, embedding)
            )
        # If this process dies, the next one can't know what Milvus has.
        claimed = update(milvus_rows).where(_rows.vector_id.in_(some))
        connection.execute(claimed.values(claimed_until=now + CLAIM, again=True))
    return changes


def _settle(
    written: Sequence[int],
    deleted: Sequence[int],
    written_until: Mapping[int, int],
    now: datetime,
    connection: Connection,
) -> None:
    for some in in_batches(written):
        chosen = _rows.vector_id.in_(some)
        # One that was deleted meanwhile stays in the queue, as a deletion.
        stored = case((_rows.state == WAITING, STORED), else_=_rows.state)
        connection.execute(update(milvus_rows).where(chosen).values(state=stored, claimed_until=None))
    for some in in_batches(deleted):
        gone = _rows.vector_id.in_(some) & (_rows.state == DELETING)
        counts = select(_rows.model_id, func.count()).where(gone).group_by(_rows.model_id)
        for model_id, count in connection.execute(counts).all():
            values = {"model": model_id, "deletions": count, "due": now + COMPACT_EVERY}
            connection.execute(_COUNT_DELETIONS, values)
        connection.execute(delete(milvus_rows).where(gone))
    for database_id, timestamp in sorted(written_until.items()):
        connection.execute(_WRITTEN_UNTIL, {"database": database_id, "timestamp": timestamp})


def _requeue_images(key: DatabaseKey, data_ids: Sequence[DataId], connection: Connection) -> None:
    for some in in_batches(data_ids):
        vectors = (
            select(_vectors.id)
            .join_from(embedded_vectors, embedded_images, _vectors.image_id == embedded_images.c.id)
            .join(embedded_databases, embedded_databases.c.id == embedded_images.c.database_id)
            .where(embedded_databases.c.workspace == key.workspace, embedded_databases.c.name == str(key.name))
            .where(embedded_images.c.data_id.in_(some))
        )
        lost = _rows.vector_id.in_(vectors) & (_rows.state == STORED)
        connection.execute(update(milvus_rows).where(lost).values(state=WAITING, again=True))


def _run(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)
