"""The ports of the Milvus back end: rows and a queue of changes in SQL, and the engine that searches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.adapters.embedded.retrieval.index import Floats
from bot.adapters.embedded.store import VectorRows
from bot.domain.identifiers import DatabaseKey, DataId, WorkspaceId


class MilvusVectorRows(VectorRows, Protocol):
    """The rows inside one transaction, and which of them Milvus doesn't have yet."""

    def pending(self, database_id: int, model_id: str, after: int) -> tuple[int, Mapping[int, bytes], Sequence[int]]:
        """Return Milvus's timestamp of the last write to a database, and a batch of what Milvus may lack.

        That is the embeddings (float16) of vectors to write, and the row ids of vectors to delete, with row ids above
        ``after``. Both are empty after the last batch. The timestamp is 0 if nothing was written yet.
        """
        ...

    def existing_vectors(self, row_ids: Sequence[int]) -> frozenset[int]:
        """Return those of the row ids whose vectors exist."""
        ...

    def fingerprints(self, database_id: int, model_id: str, after: int) -> Sequence[tuple[int, bytes]]:
        """Return (row id, fingerprint) of all rows with ids greater than ``after``, ascending."""
        ...

    def embeddings_of(self, row_ids: Iterable[int]) -> Mapping[int, bytes]:
        """Return the embeddings (float16) of the given rows by row id. Missing rows are left out."""
        ...


class Change(Protocol):
    """A change that Milvus lacks. ``embedding`` is None for a deletion; ``again``: Milvus may have the vector."""

    @property
    def vector_id(self) -> int: ...  # noqa: D102 - the class says it

    @property
    def database_id(self) -> int: ...  # noqa: D102

    @property
    def model_id(self) -> str: ...  # noqa: D102

    @property
    def workspace(self) -> str: ...  # noqa: D102

    @property
    def again(self) -> bool: ...  # noqa: D102

    @property
    def embedding(self) -> bytes | None: ...  # noqa: D102


class MilvusQueue(Protocol):
    """The queue of changes, shared by all processes."""

    async def claim(self, limit: int) -> Sequence[Change]:
        """Claim up to ``limit`` changes that nobody else makes."""
        ...

    async def settle(
        self, written: Collection[int], deleted: Collection[int], written_until: Mapping[int, int]
    ) -> None:
        """Record which vectors were written and deleted. ``written_until``: Milvus's timestamp, by database."""
        ...

    async def release(self, vector_ids: Collection[int]) -> None:
        """Give claimed changes back, because they failed."""
        ...

    async def requeue_model(self, model_id: str) -> None:
        """Write all vectors of a model once more."""
        ...

    async def requeue_images(self, key: DatabaseKey, data_ids: Collection[DataId]) -> None:
        """Write the vectors of these images once more."""
        ...

    async def pending(self) -> int:
        """Return the number of changes that are still to be made."""
        ...

    async def models(self) -> Sequence[str]:
        """Return the models that have vectors in Milvus, or will have."""
        ...

    async def claim_compaction(self) -> tuple[str, int] | None:
        """Return a model whose collection is to be compacted, and the number of its deletions; None if none is due."""
        ...

    async def finish_compaction(self, model_id: str, deletions: int) -> None:
        """Record that so many deletions of a model were compacted."""
        ...

    async def existing_among(self, vector_ids: Collection[int]) -> frozenset[int]:
        """Return those of the vectors that exist."""
        ...

    async def vectors_of(self, key: DatabaseKey, model_id: str) -> Mapping[int, DataId]:
        """Return the data ids of a database's images by the row ids of their vectors."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class NewVector:
    """A vector to write, with what searches filter by. ``embedding``: float32 of norm 1."""

    vector_id: int
    workspace: str
    database_id: int
    embedding: Floats


@dataclass(frozen=True, slots=True, eq=False)
class VectorQuery:
    """A search in one database. ``embeddings``: views × dimensions, float32 of norm 1.

    ``hidden``: row ids that Milvus leaves out. ``written_until``: the timestamp of the last write to be seen.
    """

    workspace: WorkspaceId
    database_id: int
    embeddings: Floats
    count: int
    hidden: frozenset[int] = field(default_factory=frozenset)
    written_until: int = 0


class VectorEngine(Protocol):
    """Milvus. Each model has a collection. Every call has a timeout and raises BackendError.

    A call on a collection that doesn't exist raises BackendLost, except ``create`` and ``drop``.
    """

    async def ping(self) -> str:
        """Return the server's version."""
        ...

    async def create(self, model_id: str, dimensions: int) -> bool:
        """Create and load a model's collection if needed. Return whether there was none."""
        ...

    async def insert(self, model_id: str, vectors: Sequence[NewVector]) -> int:
        """Write vectors that the collection doesn't have. Return Milvus's timestamp of the write."""
        ...

    async def delete(self, model_id: str, vector_ids: Sequence[int]) -> None:
        """Delete vectors by row id. Missing ones are no error."""
        ...

    async def compact(self, model_id: str) -> None:
        """Have deleted vectors removed from the collection's files."""
        ...

    async def search(self, model_id: str, query: VectorQuery) -> Mapping[int, float]:
        """Return the cosines of the nearest rows by row id: of each, the greatest over the query's embeddings."""
        ...

    async def vector_ids(self, model_id: str, after: int, limit: int, database_id: int | None = None) -> Sequence[int]:
        """Return up to ``limit`` row ids above ``after``, ascending, with all earlier writes."""
        ...

    async def collections(self) -> Collection[str]:
        """Return the names of this installation's collections."""
        ...

    def collection_of(self, model_id: str) -> str:
        """Return the name of a model's collection."""
        ...

    async def drop(self, collection: str) -> None:
        """Drop a collection with all its vectors."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...
