"""Index building by process role."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.app.storage import open_storage
from bot.app.unused_back_end import open_reconciliation
from bot.config.settings import Settings


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
