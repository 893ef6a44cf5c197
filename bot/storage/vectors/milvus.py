"""The embedded engine's rows with what the Milvus back end needs besides. Implements ``adapters.milvus.ports``.

The vectors stay in ``embedded_vectors``, as for the embedded engine. Milvus has copies of the embeddings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import bindparam, literal, select

from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import embedded_vectors
from bot.storage.vectors.embedded import LOAD_BATCH, SqlVectorRows
from bot.storage.vectors.milvus_tables import DELETING, STORED, WAITING, milvus_databases, milvus_rows
from bot.storage.vectors.store import SqlVectorStore

T = TypeVar("T")

_vectors, _rows = embedded_vectors.c, milvus_rows.c

# One statement, because every search runs it: one row with the timestamp at least, and one for each pending vector.
_PENDING = (
    select(milvus_databases.c.written_until, _rows.vector_id, _rows.state, _vectors.embedding)
    .select_from(select(literal(1)).subquery())
    .outerjoin(milvus_databases, milvus_databases.c.database_id == bindparam("database"))
    .outerjoin(
        milvus_rows,
        (_rows.database_id == bindparam("database"))
        & (_rows.model_id == bindparam("model"))
        & (_rows.state != STORED)
        & (_rows.vector_id > bindparam("after")),
    )
    .outerjoin(embedded_vectors, (_vectors.id == _rows.vector_id) & (_rows.state == WAITING))
    .order_by(_rows.vector_id)
    .limit(LOAD_BATCH)
)
_FINGERPRINTS = (
    select(_vectors.id, _vectors.fingerprint)
    .where(
        _vectors.database_id == bindparam("database"),
        _vectors.model_id == bindparam("model"),
        _vectors.id > bindparam("after"),
    )
    .order_by(_vectors.id)
)
_EXISTING = select(_vectors.id).where(_vectors.id.in_(bindparam("some", expanding=True)))
_EMBEDDINGS = select(_vectors.id, _vectors.embedding).where(_vectors.id.in_(bindparam("some", expanding=True)))


class MilvusRows(SqlVectorRows):
    """The embedded engine's rows, and which of them Milvus doesn't have yet."""

    def pending(self, database_id: int, model_id: str, after: int) -> tuple[int, Mapping[int, bytes], Sequence[int]]:
        """Return Milvus's timestamp of the last write to a database, and a batch of what Milvus may lack.

        That is the embeddings of vectors to write, and the row ids of vectors to delete, with row ids above ``after``.
        Both are empty after the last batch. The timestamp is 0 if nothing was written yet.
        """
        values = {"database": database_id, "model": model_id, "after": after}
        rows = self._connection.execute(_PENDING, values).all()
        waiting = {row.vector_id: row.embedding for row in rows if row.embedding is not None}
        deleting = [row.vector_id for row in rows if row.state == DELETING]
        return rows[0].written_until or 0, waiting, deleting

    def existing_vectors(self, row_ids: Sequence[int]) -> frozenset[int]:
        """Return those of the row ids whose vectors exist."""
        found: set[int] = set()
        for some in in_batches(row_ids):
            found.update(self._connection.execute(_EXISTING, {"some": some}).scalars())
        return frozenset(found)

    def fingerprints(self, database_id: int, model_id: str, after: int) -> Sequence[tuple[int, bytes]]:
        """Return row id and fingerprint of vectors with a row id above ``after``, in ascending order."""
        values = {"database": database_id, "model": model_id, "after": after}
        return [(row[0], row[1]) for row in self._connection.execute(_FINGERPRINTS, values)]

    def embeddings_of(self, row_ids: Iterable[int]) -> Mapping[int, bytes]:
        """Return the embeddings of vectors by row id. Missing ones are left out."""
        return {
            row[0]: row[1]
            for some in in_batches(list(row_ids))
            for row in self._connection.execute(_EMBEDDINGS, {"some": some})
        }


class MilvusVectorStore(SqlVectorStore):
    """Implements ``adapters.embedded.store.VectorStore``. It calls ``on_commit`` after each write is committed."""

    _rows = MilvusRows

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.on_commit: Callable[[], Awaitable[None]] | None = None

    async def write(self, work: Callable[[SqlVectorRows], T]) -> T:
        """Run ``work`` in the unit's transaction, or in one of its own that is committed when this returns."""
        result = await super().write(work)
        await self._notify()
        return result

    async def defer(self, work: Callable[[SqlVectorRows], None]) -> None:
        """Run work without a result: inside a unit at its end, outside of units at once."""
        await super().defer(work)
        await self._notify()

    async def _notify(self) -> None:
        if self.on_commit is not None:
            await self._database.after_commit(self.on_commit)
