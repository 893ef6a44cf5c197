"""kill -9 in the middle of an action: it has taken effect wholly or not at all, and the next press completes it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from bot.domain.channels import GuardRules
from tests.fakes.slack import FakeSlack
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import SIZE, scene
from tests.scenario.conftest import fill
from tests.scenario.moderation.buttons import NEVER, UNDO, now, offered, press_payload
from tests.scenario.moderation.reposts import MOD, MODS, copies_in, guard, posted, repost
from tests.scenario.support.program import ROOT
from tests.scenario.support.shares import ORIGINAL, running

PRESSES = 3


async def test_action_is_taken_once_however_often_its_process_is_killed(slack: FakeSlack, tmp_path: Path) -> None:
    width, height = SIZE
    copies = [encoded(scene(1).crop((8 * number, 0, width, height)), "PNG") for number in range(1, PRESSES + 1)]
    slack.add_channel(MODS, "mods", members=[MOD])
    async with running(slack, tmp_path / "data") as app:
        await fill(app, "ads")
        await posted(app, ORIGINAL)
        await guard(app, GuardRules(report_to=MODS))
        for copy in copies:
            await repost(slack, app, copy)
    reports = copies_in(slack)
    presses = [press_payload(slack, report, NEVER) for report in reports]
    program = [sys.executable, "-m", "tests.scenario.moderation.press_process"]
    arguments = [str(tmp_path / "data"), slack.api_url, slack.state.bot_token]
    process = await asyncio.create_subprocess_exec(*program, *arguments, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate(json.dumps(presses).encode())
    assert output.split(), errors.decode()
    # Before and after the action was committed, at least.
    assert int(output) >= 2, errors.decode()
    connection = sqlite3.connect(tmp_path / "data" / "vsearch.db")
    taken = connection.execute("SELECT report_id, count(*) FROM guard_report_actions GROUP BY report_id").fetchall()
    [pairs] = connection.execute("SELECT count(DISTINCT digest) FROM excluded_pairs").fetchone()
    connection.close()
    assert ([number for _, number in taken], pairs) == ([1] * PRESSES, PRESSES)
    for report in reports:
        assert f"Never matches again: <@{MOD}>" in now(slack, report).everything
        assert offered(slack, report) == {UNDO}
