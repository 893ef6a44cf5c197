"""A transfer to PostgreSQL with the real program, which is killed once and stopped once on its way."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, delete, insert

from bot.cli.terminal.exit_codes import ExitCode
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import images, pictures
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.data_transfer import BEGINNING, all_rows, digest_of, fill_all_tables
from tests.scenario.support.program import free_port, program

IMAGES = 3000
"""Enough for seconds of work, so that the signals arrive in the middle of it."""

DEADLINE_S = 60


def fill(connection: Connection) -> None:
    fill_all_tables(connection)
    connection.execute(delete(images))
    connection.execute(delete(pictures))
    connection.execute(insert(images), [image(number) for number in range(IMAGES)])
    connection.execute(insert(pictures), [{"digest": digest_of(n), "jpeg": bytes(500)} for n in range(IMAGES)])


def image(number: int) -> dict[str, object]:
    return {
        "database_id": 3,
        "data_id": f"d{number}",
        "entity": f"part_{number}",
        "note": "",
        "digest": digest_of(number),
        "source_digest": "0" * 64,
        "fingerprint": bytes(32),
        "width": 1,
        "height": 1,
        "created_at": BEGINNING,
        "added_by": "U1",
        "source_name": "",
    }


async def some_have_come(address: str, table: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if count(address, table):
                return
            await asyncio.sleep(0.005)


def count(address: str, table: str) -> int:
    with psycopg.connect(address) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


async def test_interrupted_transfer_resumes_with_the_same_command(tmp_path: Path, postgres_address: str) -> None:
    data = tmp_path / "data"
    source = await SqlStorage.open(data)
    await source._database.write(fill)
    await source.close()
    settings = {"VSEARCH_DATA_DIR": str(tmp_path / "new"), "DATABASE_URL": postgres_address}
    command = ("migrate", "--from", str(data), "--json")
    async with program(settings, *command) as moving:
        await some_have_come(postgres_address, "images")
        assert await moving.end(signal.SIGKILL) == -signal.SIGKILL, moving.errors
    async with program(settings, "db", "list") as early:
        assert await early.end(None) == ExitCode.FAILED
    assert "isn't finished. To continue it, run “vsearch migrate --from" in " ".join(early.errors.split())

    async with program(settings, *command) as moving:
        await some_have_come(postgres_address, "pictures")
        moving.process.send_signal(signal.SIGINT)
        out, errors = await moving.process.communicate()
    assert (moving.process.returncode, json.loads(out)["interrupted"]) == (ExitCode.INTERRUPTED, True), errors
    assert 0 < count(postgres_address, "pictures") < IMAGES

    async with program(settings, *command) as moving:
        out, errors = await moving.process.communicate()
    assert moving.process.returncode == ExitCode.OK, errors
    report = json.loads(out)
    assert (report["rows"], report["missing_pictures"], report["tables"]["images"]) == (0, [], IMAGES)
    assert count(postgres_address, "pictures") == IMAGES
    new = await SqlStorage.open(tmp_path / "new", postgres_address)
    source = await SqlStorage.open(data)
    assert await rows(new._database) == await rows(source._database)
    await new.close()
    await source.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock, so processes can't register there")
@pytest.mark.parametrize("place", ["data directory", "elsewhere", "postgresql"])
async def test_every_process_at_work_is_noticed(tmp_path: Path, postgres_address: str, place: str) -> None:
    url = {"elsewhere": f"sqlite:///{tmp_path}/own/kept.db", "postgresql": postgres_address}.get(place, "")
    (tmp_path / "own").mkdir()
    data, port = tmp_path / "data", free_port()
    at_work = {"VSEARCH_DATA_DIR": str(data), "DATABASE_URL": url, "VSEARCH_API_KEYS": "k" * 16, "HOST": "127.0.0.1"}
    moving = {"VSEARCH_DATA_DIR": str(tmp_path / "new")}
    command = ("migrate", "--from", url or str(data))

    async def refused() -> bool:
        async with program(moving, *command) as attempt:
            code = await attempt.end(None)
        return code != ExitCode.OK and "vsearch is still running on" in " ".join(attempt.errors.split())

    async with program(at_work, "serve-api", "--port", str(port)) as server:
        await server.wait_until_listening(f"http://127.0.0.1:{port}")
        assert await refused()
    # It was killed, and its registration ended with it. A command counts too.
    storage = await SqlStorage.open(data, url or None)
    assert await refused()
    await storage.close()
    assert not await asyncio.to_thread(lambda: list(tmp_path.rglob("processes")))
    async with program(moving, *command) as attempt:
        assert await attempt.end(None) == ExitCode.OK, attempt.errors


async def rows(database: Database) -> dict[str, object]:
    """Return all rows, except the due times of jobs: the transfer ends the leases."""
    return {**await all_rows(database), "inbox": None}
