"""The embedded engine's rows with what the Milvus back end needs besides. Implements ``adapters.milvus.ports``.

The vectors stay in ``embedded_vectors``, as for the embedded engine. Milvus has copies of the embeddings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import bindparam, select

from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import embedded_vectors
from bot.storage.vectors.embedded import LOAD_BATCH, SqlVectorRows
from bot.storage.vectors.milvus_tables import DELETING, WAITING, milvus_databases, milvus_rows
from bot.storage.vectors.store import SqlVectorStore

T = TypeVar("T")

_vectors, _rows = embedded_vectors.c, milvus_rows.c

_OF_DATABASE = (_rows.database_id == bindparam("database")) & (_rows.model_id == bindparam("model"))
_WRITTEN_UNTIL = select(milvus_databases.c.written_until).where(milvus_databases.c.database_id == bindparam("database"))
_DELETING = select(_rows.vector_id).where(_OF_DATABASE, _rows.state == DELETING)
_WAITING = (
    select(_vectors.id, _vectors.embedding)
    .join_from(milvus_rows, embedded_vectors, _vectors.id == _rows.vector_id)
    .where(_OF_DATABASE, _rows.state == WAITING)
    .execution_options(yield_per=LOAD_BATCH)
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
_EMBEDDINGS = select(_vectors.id, _vectors.embedding).where(_vectors.id.in_(bindparam("some", expanding=True)))


class MilvusRows(SqlVectorRows):
    """The embedded engine's rows, and which of them Milvus doesn't have yet."""

    def written_until(self, database_id: int) -> int:
        """Return Milvus's timestamp of the last write to a database; 0 if there was none."""
        return self._connection.execute(_WRITTEN_UNTIL, {"database": database_id}).scalar() or 0

    def waiting(self, database_id: int, model_id: str) -> Iterator[Sequence[tuple[int, bytes]]]:
        """Yield row id and embedding of the vectors that Milvus may not have yet, in batches."""
        with self._connection.execute(_WAITING, {"database": database_id, "model": model_id}) as result:
            self._unread.append(result)
            for rows in result.partitions():
                yield [(row[0], row[1]) for row in rows]

    def deleting(self, database_id: int, model_id: str) -> Sequence[int]:
        """Return the row ids of deleted vectors that Milvus may still have."""
        return self._connection.execute(_DELETING, {"database": database_id, "model": model_id}).scalars().all()

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
