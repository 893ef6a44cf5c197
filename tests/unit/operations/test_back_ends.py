"""Index building by process role."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.app.back_ends.dependencies import BackendDependencies, new_normaliser
from bot.app.back_ends.registry import open_back_end
from bot.app.storage import open_storage
from bot.app.unused_back_end import open_reconciliation
from bot.config.settings import Settings
from bot.domain.errors import BackendDown
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.telemetry.metrics import NullMetrics


@pytest.mark.parametrize(("role", "indexes"), [("web", False), ("worker", True), ("all", True)])
async def test_only_processes_that_run_jobs_build_indexes(
    role: str, indexes: bool, tmp_path: Path, postgres_address: str
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgres_address, backend="pgvector", role=role)
    storage = await open_storage(settings)
    try:
        async with open_reconciliation("pgvector", settings, storage):
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert ("indexes of large databases" in names) is indexes
    finally:
        await storage.close()


async def test_milvus_opens_while_it_is_away(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, backend="milvus", milvus_url="http://127.0.0.1:1", milvus_timeout_s=1, role="web"
    )
    key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
    storage = await open_storage(settings)
    normaliser = new_normaliser(settings)
    try:
        async with open_back_end("milvus", BackendDependencies(settings, storage, normaliser, NullMetrics())) as visual:
            assert "copies for Milvus" in {task.get_name() for task in asyncio.all_tasks()}
            await visual.create_database(key)
            assert await visual.list_databases(key.workspace) == (key.name,)
            with pytest.raises(BackendDown):
                await visual.ping()
    finally:
        await normaliser.close()
        await storage.close()
