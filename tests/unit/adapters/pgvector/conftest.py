"""The fixture of the tests of pgvector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier
from tests.unit.adapters.pgvector.harness import LARGE, MODEL, Harness, engine


@pytest.fixture
async def harness(tmp_path: Path, postgres_address: str) -> AsyncIterator[Harness]:
    storage = await SqlStorage.open(tmp_path, postgres_address)
    rows, _ = await storage.open_pgvector()
    pgvector = engine(rows)
    embedded = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(MODEL), FakeVerifier(), index_memory_bytes=2**24)
    yield Harness(storage, rows, PgvectorMaintenance(storage._database, LARGE), pgvector, embedded)
    drop = "SELECT 'DROP INDEX ' || indexname FROM pg_indexes WHERE indexdef LIKE '%hnsw%'"

    def clean_up(connection: Connection) -> None:
        for (statement,) in connection.execute(text(drop)).all():
            connection.execute(text(statement))

    await storage._database.write(clean_up)
    await storage.close()
