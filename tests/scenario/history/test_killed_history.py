"""kill -9 at twenty moments of an import of a history: each picture is there once, and one message shows it."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

from bot.app.services import build_services
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.domain.jobs import NewHistoryImport
from tests.fakes.slack import GENERAL, FakeSlack
from tests.scenario.support.past import notices, picture, unseen
from tests.scenario.support.program import ROOT

KILLS, PICTURES = 20, 40


async def test_history_is_imported_once_however_often_its_process_is_killed(slack: FakeSlack, tmp_path: Path) -> None:
    with unseen(slack):
        first = await slack.upload(slack.host(picture(0), "part 00.jpg"))
        for number in range(1, PICTURES):
            thread = first.ts if number % 5 == 0 else ""
            await slack.upload(slack.host(picture(number), f"part {number:02}.jpg"), thread_ts=thread)
    slack.state.history_page = 16
    async with build_services(Settings(data_dir=tmp_path)) as services:
        workspace = WorkspaceId(slack.state.team)
        await services.storage.catalogue.record_workspace(workspace, "")
        await services.databases.create(DatabaseKey(workspace, DatabaseName("parts")))
        new = NewHistoryImport(
            workspace=workspace, enterprise="", channel=GENERAL, database="parts", latest="9999999999.000000"
        )
        await services.storage.history.start(new)
    program = [sys.executable, "-m", "tests.scenario.support.history_process"]
    arguments = [str(tmp_path), slack.api_url, slack.state.bot_token, str(KILLS), "7"]
    process = await asyncio.create_subprocess_exec(*program, *arguments, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate()
    assert output.decode().split() == ["done", str(KILLS)], errors.decode()
    connection = sqlite3.connect(tmp_path / "vsearch.db")
    rows = connection.execute("SELECT image_id, slack_message FROM image_origins").fetchall()
    left = connection.execute("SELECT count(*) FROM history_messages").fetchone()
    connection.close()
    assert (len(rows), max(Counter(message for _, message in rows).values()), left) == (PICTURES, 1, (0,))
    assert len({image for image, _ in rows}) == PICTURES
    assert len(notices(slack)) == 1
