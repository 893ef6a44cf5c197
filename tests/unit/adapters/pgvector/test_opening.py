"""Opening pgvector: it needs PostgreSQL, and several processes can do so at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.config.settings import Settings
from bot.domain.errors import BackendRefused, SettingsError
from bot.storage.sql_storage import SqlStorage


async def test_two_processes_can_open_at_once(tmp_path: Path, postgres_address: str) -> None:
    opened = [await SqlStorage.open(tmp_path, postgres_address) for _ in range(4)]
    try:
        await opened[0]._database.write(lambda connection: connection.execute(text("DROP TABLE pgvector_rows")))
        await asyncio.gather(*(storage.open_pgvector() for storage in opened))
    finally:
        for storage in opened:
            await storage.close()


async def test_opening_without_postgresql_raises_an_error(tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path)
    try:
        with pytest.raises(BackendRefused, match="DATABASE_URL"):
            await storage.open_pgvector()
    finally:
        await storage.close()
    with pytest.raises(SettingsError, match="pgvector needs a DATABASE_URL"):
        Settings.from_mapping({"VSEARCH_BACKEND": "pgvector"})
    url = "postgresql://me@host/vsearch"
    assert Settings.from_mapping({"VSEARCH_BACKEND": "pgvector", "DATABASE_URL": url}).backend == "pgvector"
