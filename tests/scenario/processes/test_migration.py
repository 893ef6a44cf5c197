"""Migration to another back end as a process, stopped and killed, while the bot writes."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from pathlib import Path

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, EntityId, Note
from bot.images.decode.normaliser import encode_jpeg, normalise
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.program import program

PICTURES = 160
"""Enough for seconds of work on one thread, so that the signal arrives in the middle of it."""

DEADLINE_S = 60
PARTS = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("parts"))
MIGRATE = ("migrate", "--to", "embedded", "--json")


async def fill(data: Path, elsewhere: MemorySearch, *seeds: int) -> None:
    """Fill the data as a bot with a remote back end does."""
    storage = await SqlStorage.open(data)
    try:
        if not await storage.catalogue.databases(LOCAL_WORKSPACE):
            await DatabaseService(elsewhere, storage).create(PARTS)
        for seed in seeds:
            picture = normalise(encoded(photo(160, 120, seed), "JPEG"))
            entity = EntityId(f"part_{seed}")
            await AddService(elsewhere, storage).add(PARTS, picture, encode_jpeg(picture), entity, Note("a note"))
    finally:
        await storage.close()


async def some_have_come(data: Path) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if images(data, "embedded_images"):
                return
            await asyncio.sleep(0.01)


def images(data: Path, table: str) -> list[tuple[str, str]]:
    connection = sqlite3.connect(f"file:{data}/vsearch.db?mode=ro", uri=True)
    try:
        return connection.execute(f"SELECT data_id, entity FROM {table} ORDER BY data_id").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_stopped_migration_resumes(tmp_path: Path, how: signal.Signals) -> None:
    data = tmp_path / "data"
    settings = {
        "VSEARCH_DATA_DIR": str(data),
        "VSEARCH_THREADS": "1",
        "VSEARCH_BACKEND": "showapi",
        "SHOWAPI_APP_KEY": "0123456789abcdef",
        "SHOWAPI_DS_ID": "7",
        "PUBLIC_BASE_URL": "https://vsearch.example.com",
    }
    elsewhere = MemorySearch()
    await fill(data, elsewhere, *range(PICTURES))
    async with program(settings, *MIGRATE) as moving:
        await some_have_come(data)
        moving.process.send_signal(how)
        out, errors = await moving.process.communicate()
    assert "Traceback" not in errors.decode()
    moved = len(images(data, "embedded_images"))
    assert 0 < moved < PICTURES
    if how is signal.SIGINT:
        report = json.loads(out)
        assert (moving.process.returncode, report["interrupted"], report["agree"]) == (130, True, False)
        assert report["databases"][0]["added"] == moved

    # The bot keeps adding with the back end that it has.
    await fill(data, elsewhere, PICTURES)
    async with program(settings, *MIGRATE) as moving:
        out, errors = await moving.process.communicate()
    assert moving.process.returncode == 0, errors
    assert json.loads(out)["databases"][0]["added"] == PICTURES + 1 - moved
    assert images(data, "embedded_images") == images(data, "images")
