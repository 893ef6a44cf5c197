"""What the tests of Milvus share: an engine in memory, and a connection that can be cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.milvus.ports import NewVector, VectorQuery
from bot.domain.errors import BackendError, BackendLost
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from tests.fakes.features import random_picture

PARTS, BRAND = (DatabaseKey(WorkspaceId("T1"), DatabaseName(name)) for name in ("parts", "brand"))


async def fill(visual: EmbeddedSearch, key: DatabaseKey, seeds: range) -> None:
    await visual.create_database(key)
    for seed in seeds:
        await add(visual, key, seed)


async def add(visual: EmbeddedSearch, key: DatabaseKey, seed: int) -> None:
    await visual.add_image(key, random_picture(seed), EntityId(f"part_{seed}"), Note(), DataId(f"{key.name}-{seed}"))


async def best(visual: EmbeddedSearch, key: DatabaseKey, seed: int) -> str:
    found = await visual.search(key, random_picture(seed), 1)
    return str(found[0].entity) if found and found[0].verdict.is_copy else ""


@dataclass
class RecordingEngine:
    """A ``VectorEngine`` in memory. ``error`` fails every call; ``before_insert`` runs in the middle of a write."""

    vectors: dict[str, dict[int, NewVector]] = field(default_factory=dict)
    inserted: list[int] = field(default_factory=list)
    searched: list[VectorQuery] = field(default_factory=list)
    compacted: list[str] = field(default_factory=list)
    error: BackendError | None = None
    before_insert: Callable[[], object] | None = None
    timestamp: int = 1000

    async def ping(self) -> str:
        self._check()
        return "v0"

    async def create(self, model_id: str, dimensions: int) -> bool:
        self._check()
        is_new = model_id not in self.vectors
        self.vectors.setdefault(model_id, {})
        return is_new

    async def insert(self, model_id: str, vectors: Sequence[NewVector]) -> int:
        if self.before_insert is not None:
            found = self.before_insert()
            if asyncio.iscoroutine(found):
                await found
        self._check()
        stored = self._of(model_id)
        assert not stored.keys() & {vector.vector_id for vector in vectors}, "Milvus would keep both rows"
        stored.update({vector.vector_id: vector for vector in vectors})
        self.inserted += [vector.vector_id for vector in vectors]
        self.timestamp += 1
        return self.timestamp

    async def delete(self, model_id: str, vector_ids: Sequence[int]) -> None:
        self._check()
        for vector_id in vector_ids:
            self._of(model_id).pop(vector_id, None)

    async def compact(self, model_id: str) -> None:
        self._check()
        self.compacted.append(model_id)

    async def search(self, model_id: str, query: VectorQuery) -> Mapping[int, float]:
        self._check()
        self.searched.append(query)
        chosen = {
            vector_id: float((query.embeddings @ vector.embedding).max())
            for vector_id, vector in self._of(model_id).items()
            if vector.database_id == query.database_id and vector_id not in query.hidden
        }
        return dict(sorted(chosen.items(), key=lambda item: -item[1])[: query.count])

    async def vector_ids(self, model_id: str, after: int, limit: int, database_id: int | None = None) -> Sequence[int]:
        self._check()
        return sorted(
            vector_id
            for vector_id, vector in self._of(model_id).items()
            if vector_id > after and database_id in {None, vector.database_id}
        )[:limit]

    async def collections(self) -> Collection[str]:
        self._check()
        return list(self.vectors)

    def collection_of(self, model_id: str) -> str:
        return model_id

    async def drop(self, collection: str) -> None:
        self._check()
        self.vectors.pop(collection, None)

    async def close(self) -> None:
        pass

    def _of(self, model_id: str) -> dict[int, NewVector]:
        if model_id not in self.vectors:
            raise BackendLost("no such collection")
        return self.vectors[model_id]

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


def stray_vector(vector_id: int, dimensions: int) -> NewVector:
    return NewVector(vector_id, "T1", 1, np.full(dimensions, dimensions**-0.5, np.float32))


class Gate:
    """A TCP proxy to a port of this machine. Closing it cuts every connection."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def recovered(call: Callable[[], Awaitable[object]], within_s: float = 30.0) -> None:
    """Repeat a call until it succeeds. Clients need a moment after a server came back."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            await call()
        except BackendError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.3)
        else:
            return
