"""kill -9 during an import: it goes on in the next process, in the same message, and adds nothing twice."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

from bot.app.services import build_services
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from tests.fakes.slack import FakeSlack
from tests.fixtures.pictures import encoded, photo
from tests.scenario.imports.test_table_imports import packed
from tests.scenario.processes.test_http import settings_over_http
from tests.scenario.support.crash_scenario import finished
from tests.scenario.support.program import program

ROWS = 64


def images(data_dir: Path) -> list[str]:
    connection = sqlite3.connect(data_dir / "vsearch.db")
    try:
        return [str(row[0]) for row in connection.execute("SELECT entity FROM images ORDER BY entity")]
    finally:
        connection.close()


async def test_killed_import_goes_on_without_doubles(slack: FakeSlack, tmp_path: Path) -> None:
    url, settings = await settings_over_http(slack, tmp_path / "data")
    slack.tolerate_silence()
    async with build_services(Settings(data_dir=tmp_path / "data")) as services:
        await services.databases.create(DatabaseKey(WorkspaceId(slack.state.team), DatabaseName("imported")))
    table = "File,SKU\n" + "".join(f"{row}.jpg,part {row:02}\n" for row in range(ROWS))
    pictures = {f"{row}.jpg": encoded(photo(64, 64, seed=2_000 + row), "JPEG") for row in range(ROWS)}
    files = [slack.host(table.encode(), name="parts.csv"), slack.host(packed(pictures), name="photos.zip")]
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        shared = await slack.upload(*files, mention=True, text="in:imported")
        await slack.wait_until(lambda: len(images(tmp_path / "data")) > 16, timeout_s=30)
        assert await bot.end(signal.SIGKILL) == -signal.SIGKILL
    assert len(images(tmp_path / "data")) < ROWS
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        await slack.wait_until(lambda: f"{ROWS} new." in slack.replies(shared.ts)[-1].everything, timeout_s=60)
        await finished(tmp_path / "data", bot)
        assert await bot.end() == 0, bot.errors
    assert images(tmp_path / "data") == [*(f"part {row:02}" for row in range(ROWS)), "valve_0042"]
    assert len(slack.replies(shared.ts)) == 1
