"""Milvus through pymilvus. Its calls block, so that they run in a bounded executor, each with a timeout."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from pymilvus import DataType, MilvusClient
from pymilvus.client import ts_utils
from pymilvus.client.types import LoadState

from bot.adapters.milvus.errors import translate
from bot.adapters.milvus.ports import NewVector, VectorQuery
from bot.domain.errors import BackendDown, BackendError, BackendTimeout

log = logging.getLogger(__name__)

T = TypeVar("T")

THREADS = 8
PAUSE_S = 2.0
"""After Milvus could not be reached, calls fail at once for so long. Otherwise each would wait for its timeout."""

PARTITIONS = 64
"""Partitions of a collection. A workspace is in one of them, so its searches read none of the others."""

INDEX_TYPE, METRIC = "HNSW", "IP"
INDEX_PARAMS = {"M": 16, "efConstruction": 200}
MIN_EF, MAX_EF = 1024, 32_768
"""Limits of ``ef``, the candidates of a search by index. Of 3,000 vectors, 256 finds 0.96 of the nearest, 1024 all."""

MAX_COUNT = 16_384
"""Milvus returns no more results for a query."""

MAX_WORKSPACE = 64
LOAD_TIMEOUT_S = 120.0
"""Time for creating or loading a collection, which happens once and waits for its index."""


@dataclass(frozen=True, slots=True)
class MilvusAccount:
    """The address of Milvus, and how long a call may take. ``installation`` begins the names of our collections."""

    url: str
    installation: str
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    partitions: int = PARTITIONS


class PyMilvusEngine:
    """Implements ``ports.VectorEngine``. The connection is opened by the first call, and again when it is lost."""

    def __init__(self, account: MilvusAccount) -> None:
        # pymilvus logs each error with its traceback; ours are translated and logged by their callers.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self._account = account
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="milvus")
        self._client: MilvusClient | None = None
        self._lock = Lock()
        self._failure: tuple[float, BackendError] | None = None

    def collection_of(self, model_id: str) -> str:
        """Return the name of a model's collection."""
        digest = hashlib.blake2b(model_id.encode(), digest_size=8).hexdigest()
        return f"{self._prefix}{digest}"

    async def ping(self) -> str:
        """Return the server's version."""
        return await self._call(lambda client: str(client.get_server_version(timeout=self._account.timeout_s)))

    async def create(self, model_id: str, dimensions: int) -> bool:
        """Create and load a model's collection if needed. Return whether there was none."""
        name = self.collection_of(model_id)
        return await self._call(lambda client: self._create(client, name, model_id, dimensions), LOAD_TIMEOUT_S)

    async def insert(self, model_id: str, vectors: Sequence[NewVector]) -> int:
        """Write vectors that the collection doesn't have. Return Milvus's timestamp of the write."""
        name = self.collection_of(model_id)
        rows = [
            {
                "id": vector.vector_id,
                "workspace": vector.workspace[:MAX_WORKSPACE],
                "database": vector.database_id,
                "embedding": vector.embedding,
            }
            for vector in vectors
        ]

        def work(client: MilvusClient) -> int:
            client.insert(name, rows, timeout=self._account.timeout_s)
            # The client keeps the timestamp of its last write, for its own sessions.
            return int(ts_utils.get_collection_ts(name, client._config.address, "") or 0)  # noqa: SLF001

        return await self._call(work)

    async def delete(self, model_id: str, vector_ids: Sequence[int]) -> None:
        """Delete vectors by row id. Missing ones are no error."""
        name, ids = self.collection_of(model_id), list(vector_ids)
        await self._call(lambda client: client.delete(name, ids=ids, timeout=self._account.timeout_s))

    async def compact(self, model_id: str) -> None:
        """Have deleted vectors removed from the collection's files. Milvus does it in the background."""
        name, timeout_s = self.collection_of(model_id), self._account.timeout_s
        # Only what is flushed is compacted.
        await self._call(lambda client: client.flush(name, timeout=LOAD_TIMEOUT_S), LOAD_TIMEOUT_S)
        await self._call(lambda client: client.compact(name, timeout=timeout_s))

    async def search(self, model_id: str, query: VectorQuery) -> Mapping[int, float]:
        """Return the cosines of the nearest rows by row id: of each, the greatest over the query's embeddings."""
        name, count = self.collection_of(model_id), min(query.count, MAX_COUNT)
        options: dict[str, Any] = {
            "filter": _filter(query),
            "limit": count,
            "search_params": {"metric_type": METRIC, "params": {"ef": min(max(MIN_EF, 2 * count), MAX_EF)}},
            "timeout": self._account.timeout_s,
            # Milvus answers once it has seen this write. It waits only if that was within its last time tick.
            "consistency_level": "Customized",
            "guarantee_timestamp": max(query.written_until, 1),
        }
        embeddings = list(query.embeddings)
        results = await self._call(lambda client: client.search(name, data=embeddings, **options))
        greatest: dict[int, float] = {}
        for hits in results:
            for hit in hits:
                row_id, cosine = int(hit["id"]), float(hit["distance"])
                greatest[row_id] = max(cosine, greatest.get(row_id, cosine))
        return greatest

    async def vector_ids(self, model_id: str, after: int, limit: int, database_id: int | None = None) -> Sequence[int]:
        """Return up to ``limit`` row ids above ``after``, ascending, with all earlier writes."""
        name, limit = self.collection_of(model_id), min(limit, MAX_COUNT)
        chosen = f"id > {after:d}" + ("" if database_id is None else f" and database == {database_id:d}")
        options: dict[str, Any] = {
            "filter": chosen,
            "limit": limit,
            "output_fields": ["id"],
            "timeout": self._account.timeout_s,
            "consistency_level": "Strong",
        }
        rows = await self._call(lambda client: client.query(name, **options))
        return sorted(int(row["id"]) for row in rows)

    async def collections(self) -> Collection[str]:
        """Return the names of this installation's collections."""
        names = await self._call(lambda client: client.list_collections(timeout=self._account.timeout_s))
        return [name for name in names if name.startswith(self._prefix)]

    async def drop(self, collection: str) -> None:
        """Drop a collection with all its vectors."""
        await self._call(lambda client: client.drop_collection(collection, timeout=self._account.timeout_s))

    async def close(self) -> None:
        """Close the connection."""

        def work() -> None:
            self._threads.shutdown()
            if self._client is not None:
                self._client.close()

        await asyncio.to_thread(work)

    @property
    def _prefix(self) -> str:
        return f"vsearch_{self._account.installation}_"

    async def _call(self, work: Callable[[MilvusClient], T], timeout_s: float | None = None) -> T:
        """Run ``work`` in a thread. Raises BackendError, also if no thread was free in time."""
        if self._failure is not None and time.monotonic() < self._failure[0]:
            raise BackendDown(str(self._failure[1]))
        running = asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)
        try:
            # A connection that was lost is opened first, which may take as long as the call.
            result = await asyncio.wait_for(running, (timeout_s or self._account.timeout_s) * 2)
        except TimeoutError:
            raise self._failed(BackendTimeout("Milvus didn't answer in time")) from None
        except BackendError as error:
            raise self._failed(error) from error.__cause__
        self._failure = None
        return result

    def _failed(self, error: BackendError) -> BackendError:
        if isinstance(error, BackendDown | BackendTimeout):
            self._failure = time.monotonic() + PAUSE_S, error
        return error

    def _run(self, work: Callable[[MilvusClient], T]) -> T:
        try:
            return work(self._connected())
        except Exception as error:
            raise translate(error) from error

    def _connected(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                account = self._account
                self._client = MilvusClient(
                    account.url, token=account.token or "", timeout=account.timeout_s, dedicated=True
                )
            return self._client

    def _create(self, client: MilvusClient, name: str, model_id: str, dimensions: int) -> bool:
        timeout = LOAD_TIMEOUT_S
        is_new = not client.has_collection(name, timeout=timeout)
        if is_new:
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False, description=model_id[:255])
            schema.add_field("id", DataType.INT64, is_primary=True)
            schema.add_field("workspace", DataType.VARCHAR, max_length=MAX_WORKSPACE, is_partition_key=True)
            schema.add_field("database", DataType.INT64)
            schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimensions)
            client.create_collection(
                name,
                schema=schema,
                num_partitions=self._account.partitions,
                consistency_level="Eventually",
                timeout=timeout,
            )
        elif client.get_load_state(name, timeout=timeout)["state"] == LoadState.Loaded:
            return False
        # Both change nothing if another process has done them.
        index = client.prepare_index_params()
        index.add_index("embedding", index_type=INDEX_TYPE, metric_type=METRIC, params=INDEX_PARAMS)
        client.create_index(name, index, timeout=timeout)
        client.load_collection(name, timeout=timeout)
        return is_new


def _filter(query: VectorQuery) -> str:
    workspace = query.workspace[:MAX_WORKSPACE].replace("\\", "\\\\").replace('"', '\\"')
    chosen = f'workspace == "{workspace}" and database == {query.database_id:d}'
    if query.hidden:
        chosen += f" and id not in [{','.join(map(str, sorted(query.hidden)))}]"
    return chosen
