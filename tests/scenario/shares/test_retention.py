"""Retention: images older than the operator's limit are deleted with everything that shows them."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.domain.channels import ChannelMode
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import fill
from tests.scenario.shares.test_deletion import on_disk, uploads_in_slack
from tests.scenario.support.requests import VALVE
from tests.scenario.support.shares import images_in, reply, running, settled, watch


def date_back(folder: Path, days: int) -> None:
    """Date all images and their origins back by this many days."""
    connection = sqlite3.connect(folder / "vsearch.db")
    past = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert connection.execute("UPDATE images SET created_at = ?", (past,)).rowcount
    assert connection.execute("UPDATE image_origins SET created_at = ?", (past,)).rowcount
    connection.commit()
    connection.close()


async def test_old_images_are_deleted_with_everything_that_shows_them(slack: FakeSlack, tmp_path: Path) -> None:
    async with running(slack, tmp_path) as app:
        await fill(app, "parts")
        await watch(app, ChannelMode.COLLECT, "parts")
        await slack.wait_for_reaction(await slack.upload(slack.host(VALVE, "valve.heic")))
        await reply(slack, await slack.upload(VALVE, mention=True))
        assert len(uploads_in_slack(slack)) == 1
    date_back(tmp_path, 31)
    async with running(slack, tmp_path, VSEARCH_RETENTION_DAYS="32"):
        await slack.acknowledged(5)
        assert len(on_disk(tmp_path)) == 1
    async with running(slack, tmp_path, VSEARCH_RETENTION_DAYS="30") as app:
        await slack.wait_for_call("files.delete")
        await settled(slack, app)
        assert (await images_in(app), on_disk(tmp_path), uploads_in_slack(slack)) == ([], [], [])
