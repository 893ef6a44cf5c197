"""Keeps Milvus's copies of the vectors current: works off the queue of changes in SQL.

SQL is the truth. A change that Milvus refuses stays in the queue, and searches add what Milvus lacks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby

import numpy as np

from bot.adapters.milvus.ports import Change, MilvusQueue, NewVector, VectorEngine
from bot.domain.errors import BackendError, BackendLost

log = logging.getLogger(__name__)

BATCH = 500
"""Changes of one claim. An insert of as many embeddings of 1280 numbers has 2.6 MB; Milvus takes 64 MB."""

POLL_S = 2.0
"""How often a process looks for changes that others queued."""

COMMIT_WAIT_S = 2.0
"""How long a write waits for Milvus after it is committed. It is durable by then, and searches find it anyway."""

MIN_PAUSE_S, MAX_PAUSE_S = 1.0, 60.0
"""Pauses after failures. They double."""

FAILURE_SHOWN_S = 120.0
"""How long a failed attempt counts as a sign that Milvus takes no changes, unless a later one succeeds."""

CLEAN_UP_EVERY_S = 600.0
"""How often unused collections are dropped, and others compacted."""


class Replicator:
    """Works off the queue for one process. Several processes may do so at the same time."""

    def __init__(self, queue: MilvusQueue, engine: VectorEngine) -> None:
        self._queue = queue
        self._engine = engine
        self._ready: set[str] = set()
        self._lock = asyncio.Lock()
        self._asked = self._done = 0
        self._pause_s = 0.0
        self._resume_at = 0.0
        self._failure: tuple[float, BackendError] | None = None

    @property
    def failure(self) -> BackendError | None:
        """The error of the newest attempt, if it failed within the last two minutes."""
        if self._failure is None or time.monotonic() - self._failure[0] > FAILURE_SHOWN_S:
            return None
        return self._failure[1]

    async def after_commit(self) -> None:
        """Make the changes that were just committed. A failure is only logged, because the queue keeps them."""
        if time.monotonic() < self._resume_at:
            return
        with suppress(BackendError, TimeoutError):
            # Shielded: a claim that is cancelled would hold up its changes.
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(self._quietly())), COMMIT_WAIT_S)

    async def drain(self) -> None:
        """Make all changes. Raises BackendError."""
        self._asked += 1
        wanted = self._asked
        async with self._lock:
            if self._done >= wanted:
                return  # Another caller's run began after this call.
            started = self._asked
            try:
                while await self._make_some():
                    pass
            except BackendError as error:
                self._failed(error)
                raise
            self._done, self._pause_s, self._resume_at, self._failure = started, 0.0, 0.0, None

    async def run(self, interval_s: float = POLL_S) -> None:
        """Make changes that any process queued, until cancelled."""
        checked = 0.0
        while True:
            if time.monotonic() >= self._resume_at:
                await self._quietly()
                if self.failure is None and time.monotonic() - checked > CLEAN_UP_EVERY_S:
                    checked = time.monotonic()
                    with suppress(BackendError):
                        await self.drop_unused()
                        await self.compact()
            await asyncio.sleep(interval_s)

    async def restore(self, model_id: str, dimensions: int) -> None:
        """Create a model's collection, which Milvus has lost, and queue all its vectors."""
        async with self._lock:
            self._ready.discard(model_id)
            await self._prepare(model_id, dimensions)

    async def drop_unused(self) -> int:
        """Drop the collections of models that no database uses any more. Return how many."""
        used = {self._engine.collection_of(model) for model in await self._queue.models()}
        unused = sorted(set(await self._engine.collections()) - used)
        for name in unused:
            await self._engine.drop(name)
        return len(unused)

    async def compact(self) -> int:
        """Compact the collections from which something was deleted a day ago. Return how many."""
        compacted = 0
        while (due := await self._queue.claim_compaction()) is not None:
            model_id, deletions = due
            with suppress(BackendLost):
                await self._engine.compact(model_id)
            await self._queue.finish_compaction(model_id, deletions)
            compacted += 1
        return compacted

    async def drop_all(self) -> None:
        """Drop all of this installation's collections."""
        for name in await self._engine.collections():
            await self._engine.drop(name)
        self._ready.clear()

    async def _quietly(self) -> None:
        try:
            await self.drain()
        except BackendError as error:
            log.warning("Milvus lacks some changes until a later attempt: %s", error)

    def _failed(self, error: BackendError) -> None:
        self._pause_s = min(max(self._pause_s * 2, MIN_PAUSE_S), MAX_PAUSE_S)
        self._resume_at = time.monotonic() + self._pause_s
        self._failure = time.monotonic(), error

    async def _make_some(self) -> int:
        changes = await self._queue.claim(BATCH)
        if not changes:
            return 0
        try:
            written_until = await self._make(changes)
        except BaseException as error:
            if isinstance(error, BackendLost):
                # The collection is gone, for example because Milvus was set up anew.
                self._ready.clear()
            await asyncio.shield(self._queue.release([change.vector_id for change in changes]))
            raise
        written = [change.vector_id for change in changes if change.embedding is not None]
        deleted = [change.vector_id for change in changes if change.embedding is None]
        await self._queue.settle(written, deleted, written_until)
        return len(changes)

    async def _make(self, changes: Sequence[Change]) -> dict[int, int]:
        """Make claimed changes. Return Milvus's timestamp of the write by database."""
        written_until: dict[int, int] = {}
        by_model = sorted(changes, key=lambda change: change.model_id)
        for model_id, group in groupby(by_model, key=lambda change: change.model_id):
            of_model = list(group)
            added = [change for change in of_model if change.embedding is not None]
            # Deletions first: Milvus orders by its timestamps, and inserting an id twice would keep both rows.
            if removed := [change.vector_id for change in of_model if change.embedding is None or change.again]:
                await self._delete(model_id, removed)
            if added:
                await self._prepare(model_id, len(added[0].embedding or b"") // 2)
                timestamp = await self._engine.insert(model_id, [_new_vector(change) for change in added])
                for change in added:
                    written_until[change.database_id] = timestamp
        return written_until

    async def _delete(self, model_id: str, vector_ids: Sequence[int]) -> None:
        try:
            await self._engine.delete(model_id, vector_ids)
        except BackendLost:
            # Without a collection there is nothing to delete; but one may only be loading.
            if self._engine.collection_of(model_id) in await self._engine.collections():
                raise

    async def _prepare(self, model_id: str, dimensions: int) -> None:
        if model_id not in self._ready:
            if await self._engine.create(model_id, dimensions):
                await self._queue.requeue_model(model_id)
            self._ready.add(model_id)


def _new_vector(change: Change) -> NewVector:
    embedding = np.frombuffer(change.embedding or b"", "<f2").astype(np.float32)
    return NewVector(change.vector_id, change.workspace, change.database_id, embedding)
