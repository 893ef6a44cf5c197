"""The back ends that the contract tests run against. Add a new one to ``BACK_ENDS``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.adapters.memory import MemorySearch
from bot.adapters.pgvector.finder import PgvectorNeighbourSearch
from bot.adapters.port import VisualSearch
from bot.adapters.showapi.http.client import ShowApiAccount
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier
from tests.fixtures.api_server import KEY, api_server
from tests.fixtures.hosted_back_end import hosted_back_end
from tests.fixtures.milvus import MilvusServer, milvus_search

Maker = Callable[[Path], AbstractAsyncContextManager[VisualSearch]]

MEGABYTE = 2**20


@asynccontextmanager
async def memory(folder: Path) -> AsyncIterator[VisualSearch]:
    yield MemorySearch()


@asynccontextmanager
async def embedded(folder: Path, index_memory_bytes: int = 64 * MEGABYTE) -> AsyncIterator[VisualSearch]:
    storage = await SqlStorage.open(folder)
    try:
        yield EmbeddedSearch(
            storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=index_memory_bytes
        )
    finally:
        await storage.close()


def embedded_without_memory(folder: Path) -> AbstractAsyncContextManager[VisualSearch]:
    """The embedded back end without memory for any index."""
    return embedded(folder, index_memory_bytes=1)


@asynccontextmanager
async def pgvector(folder: Path, database_url: str) -> AsyncIterator[VisualSearch]:
    storage = await SqlStorage.open(folder, database_url)
    try:
        rows, _ = await storage.open_pgvector()
        extractor = FakeFeatureExtractor()
        finder = PgvectorNeighbourSearch(extractor.model_id, MEGABYTE)
        yield EmbeddedSearch(rows, extractor, FakeVerifier(), neighbours=finder, name="pgvector")
    finally:
        await storage.close()


@asynccontextmanager
async def milvus(folder: Path, server: MilvusServer) -> AsyncIterator[VisualSearch]:
    storage = await SqlStorage.open(folder)
    try:
        async with milvus_search(storage, server) as opened:
            yield opened.visual
    finally:
        await storage.close()


@asynccontextmanager
async def embedded_with_built_in_model(folder: Path) -> AsyncIterator[VisualSearch]:
    """The embedded back end as it is shipped, with the built-in model and the real verifier."""
    storage = await SqlStorage.open(folder)
    extractor = PictureFeatureExtractor(_built_in(), 2)
    try:
        yield EmbeddedSearch(storage.vectors, extractor, GeometricVerifier(), index_memory_bytes=64 * MEGABYTE)
    finally:
        await extractor.close()
        await storage.close()


@asynccontextmanager
async def showapi(
    folder: Path, shared: str | None = None, storage: SqlStorage | None = None
) -> AsyncIterator[VisualSearch]:
    """The showapi back end against our own API server, over real HTTP."""
    async with api_server(folder / "server") as server:
        account = ShowApiAccount(server.url, KEY, "any", calls_per_s=1000)
        async with hosted_back_end(folder / "client", account, shared=shared, storage=storage) as hosted:
            yield hosted.visual


def showapi_shared(folder: Path) -> AbstractAsyncContextManager[VisualSearch]:
    """The same, with all databases in one upstream database."""
    return showapi(folder, shared="everybodys")


@asynccontextmanager
async def showapi_on_postgresql(folder: Path, database_url: str) -> AsyncIterator[VisualSearch]:
    """The same, with the ledger in PostgreSQL."""
    storage = await SqlStorage.open(folder, database_url)
    try:
        async with showapi(folder, storage=storage) as visual:
            yield visual
    finally:
        await storage.close()


_built_in = cache(BuiltInModel)

BACK_ENDS: dict[str, Maker] = {
    "memory": memory,
    "embedded": embedded,
    "embedded-streamed": embedded_without_memory,
    "embedded-real": embedded_with_built_in_model,
    "showapi": showapi,
    "showapi-shared": showapi_shared,
}
ON_POSTGRES = {"pgvector": pgvector, "showapi-postgresql": showapi_on_postgresql}


@pytest.fixture(params=[*BACK_ENDS, *ON_POSTGRES, "milvus"])
async def visual(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VisualSearch]:
    made: AbstractAsyncContextManager[VisualSearch]
    if request.param in ON_POSTGRES:
        made = ON_POSTGRES[request.param](tmp_path, request.getfixturevalue("postgres_address"))
    elif request.param == "milvus":
        made = milvus(tmp_path, request.getfixturevalue("milvus"))
    else:
        made = BACK_ENDS[request.param](tmp_path)
    async with made as back_end:
        yield back_end


@pytest.fixture
async def parts(visual: VisualSearch) -> DatabaseKey:
    """An empty database."""
    key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
    await visual.create_database(key)
    return key
