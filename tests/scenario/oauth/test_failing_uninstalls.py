"""An uninstall whose deletions fail for days is fulfilled in the end, and visible until then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli.doctor.deletions import deletions
from bot.cli.doctor.result import CheckStatus
from bot.cli.session import SharedStorage
from bot.config.settings import Settings
from bot.domain.errors import BackendDown
from bot.domain.jobs import Job
from bot.storage.inbox.inbox import SqlInbox
from tests.fakes.slack import FakeSlack
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.web_bot import databases, install, oauth_settings, stock, wait_until_forgotten, web_bot

ONE, TWO = "T0ONE", "T0TWO"
VALVE = encoded(photo(640, 480, seed=1), "PNG")
DAYS = 3
STEP = timedelta(hours=6)


def doctors_findings(folder: Path) -> list[str]:
    """Return what the doctor finds wrong with deletions."""
    shared = SharedStorage(Settings.from_mapping({"VSEARCH_DATA_DIR": str(folder)}))
    try:
        return [one.found for one in deletions(shared._settings, shared) if one.state is CheckStatus.WRONG]
    finally:
        shared.close()


async def test_uninstall_that_fails_for_days_is_fulfilled(
    slack: FakeSlack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset, failed = timedelta(days=-DAYS), asyncio.Event()
    retry = SqlInbox.retry

    async def noted_retry(inbox: SqlInbox, job: Job, delay_s: float) -> None:
        await retry(inbox, job, delay_s)
        failed.set()

    async def is_down(*_: object) -> None:
        raise BackendDown("the back end is down")

    for team in (ONE, TWO):
        slack.add_workspace(team, team)
        slack.add_channel(f"C{team}", "general", team=team)
    async with web_bot(slack, tmp_path, **oauth_settings(slack)) as bot:
        inbox = bot.app.services.storage.inbox
        monkeypatch.setattr(inbox, "_clock", lambda: datetime.now(UTC) + offset)
        for team in (ONE, TWO):
            await install(slack, bot.browser, team)
            # Slack has the images, not the operator.
            await stock(bot.app, team, "parts", author="U0SOMEONE", valve_0042=VALVE)
        with monkeypatch.context() as broken:
            broken.setattr(SqlInbox, "retry", noted_retry)
            broken.setattr(type(bot.app.services.visual), "delete_database", is_down)
            await slack.revoke_tokens(team=ONE)
            while offset < timedelta():
                await asyncio.wait_for(failed.wait(), 10)
                failed.clear()
                offset += STEP
                bot.app.worker.wake()
            await asyncio.wait_for(failed.wait(), 10)
            assert await databases(bot, ONE) == ["parts"]
            open_now = await inbox.open_obligations()
            assert open_now.most_attempts == timedelta(days=DAYS) / STEP + 1
            metrics = (await bot.browser.get("/metrics")).text
            assert 'vsearch_obligations{kind="uninstall"} 1.0' in metrics
            ready = await bot.browser.get("/readyz")
            assert ready.status_code == 200
            assert "open obligations: 1 uninstall" in ready.json()["details"][0]
            [wrong] = await asyncio.to_thread(doctors_findings, tmp_path)
            assert wrong.startswith("open obligations: 1 uninstall")
        offset += STEP
        bot.app.worker.wake()
        await wait_until_forgotten(bot, ONE)
        assert (await databases(bot, ONE), await databases(bot, TWO)) == ([], ["parts"])
        assert 'vsearch_obligations{kind="uninstall"} 0.0' in (await bot.browser.get("/metrics")).text
