"""The Milvus back end: the embedded engine, whose vectors Milvus searches."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import FeatureExtractor, Verifier
from bot.adapters.embedded.store import VectorStore
from bot.adapters.milvus.finder import MilvusNeighbourSearch
from bot.adapters.milvus.ports import MilvusQueue, VectorEngine
from bot.adapters.milvus.replication import Replicator
from bot.adapters.port import ImageToAdd
from bot.domain.errors import BackendLost
from bot.domain.identifiers import DatabaseKey, DataId

CHECKED_AT_ONCE = 10_000


class MilvusSearch(EmbeddedSearch):
    """Satisfies ``adapters.port.VisualSearch`` and ``OrphanReporter``. The caller runs and closes the replicator."""

    def __init__(
        self,
        store: VectorStore,
        extractor: FeatureExtractor,
        verifier: Verifier,
        *,
        queue: MilvusQueue,
        engine: VectorEngine,
        replicator: Replicator,
        fingerprint_memory_bytes: int,
    ) -> None:
        self._model_id = extractor.model_id
        self._queue = queue
        self._engine = engine
        self._replicator = replicator
        neighbours = MilvusNeighbourSearch(extractor.model_id, engine, self._restore, fingerprint_memory_bytes)
        super().__init__(store, extractor, verifier, neighbours=neighbours, name="milvus")

    async def add_images(self, database: DatabaseKey, images: Sequence[ImageToAdd]) -> tuple[DataId, ...]:
        """Add several pictures and return their data ids. Known ones are copied to Milvus once more. See the port."""
        given = [image.data_id for image in images if image.data_id is not None]
        if given:
            await self._queue.requeue_images(database, given)
        return await super().add_images(database, images)

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """Return the data ids of the images whose vectors Milvus has. Raises BackendError."""
        await self._replicator.drain()
        stored = await super().inventory(database)
        database_id = await self._store.read(lambda rows: rows.state(database).id)
        expected = await self._queue.vectors_of(database, self._model_id)
        held = await self._held(database_id) if expected else frozenset()
        # Images of another model can't be searched before a reindex, which is no loss of Milvus.
        return stored - {data_id for vector_id, data_id in expected.items() if vector_id not in held}

    async def ping(self) -> None:
        """Check that SQL and Milvus answer, and that Milvus takes the changes. Raises BackendError."""
        await super().ping()
        await self._engine.ping()
        if failure := self._replicator.failure:
            raise failure

    async def describe_orphans(self, keys: Collection[DatabaseKey]) -> tuple[str, ...]:
        """Return a sentence about vectors in Milvus that no image has. See the port."""
        del keys  # SQL knows every vector, also those of API callers.
        orphans = await self._orphans()
        if not orphans:
            return ()
        return (f"Milvus has {len(orphans)} orphaned {'vector' if len(orphans) == 1 else 'vectors'}.",)

    async def delete_orphans(self, keys: Collection[DatabaseKey]) -> int:
        """Delete the vectors in Milvus that no image has, and unused collections. Returns how many."""
        del keys
        orphans = await self._orphans()
        for start in range(0, len(orphans), CHECKED_AT_ONCE):
            await self._engine.delete(self._model_id, orphans[start : start + CHECKED_AT_ONCE])
        return len(orphans) + await self._replicator.drop_unused()

    async def _restore(self, model_id: str) -> None:
        await self._replicator.restore(model_id, self._extractor.dimensions)

    async def _held(self, database_id: int) -> frozenset[int]:
        """Return the vectors of a database that Milvus has."""
        held: set[int] = set()
        after = -1
        try:
            while found := await self._engine.vector_ids(self._model_id, after, CHECKED_AT_ONCE, database_id):
                held.update(found)
                after = found[-1]
        except BackendLost:
            return frozenset()
        return frozenset(held)

    async def _orphans(self) -> list[int]:
        await self._replicator.drain()
        orphans: list[int] = []
        after = -1
        try:
            while found := await self._engine.vector_ids(self._model_id, after, CHECKED_AT_ONCE):
                orphans += sorted(set(found) - await self._queue.existing_among(found))
                after = found[-1]
        except BackendLost:
            return []
        return orphans
