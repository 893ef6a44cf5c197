"""What operators see: health, metrics, start-up errors and the doctor, without secrets."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import BackendDown, BackendError
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql import sqlite
from bot.web import health
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.web_bot import WebBot, stock, web_bot

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path, pictures: PictureServer) -> AsyncIterator[WebBot]:
    async with web_bot(slack, tmp_path, VSEARCH_TRUSTED_HOSTS=pictures.address) as running:
        await stock(running.app, slack.state.team, "parts", valve_0042=VALVE, gasket_7=GASKET)
        yield running


WELL = {"storage": "ok", "search": "ok", "pictures": "ok", "slack": "ok"}


async def ready(bot: WebBot) -> tuple[int, dict[str, str]]:
    answer = await bot.browser.get("/readyz")
    return answer.status_code, answer.json()["checks"]


@pytest.fixture
def _uncached_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn off the caching of health checks."""
    monkeypatch.setattr(health, "CACHE_S", 0.0)


@pytest.fixture
def _short_wait_for_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writes fail soon while another connection holds the lock. Applies to storages that are opened later."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 100)


@pytest.mark.usefixtures("_uncached_checks")
async def test_readiness_reports_slack_failure_and_recovery(slack: FakeSlack, bot: WebBot) -> None:
    assert await ready(bot) == (200, WELL)
    slack.refuse_next("auth.test", "token_revoked")
    assert await ready(bot) == (503, WELL | {"slack": "failing"})
    assert (await bot.browser.get("/healthz")).status_code == 200
    assert await ready(bot) == (200, WELL)


@pytest.mark.usefixtures("_uncached_checks")
async def test_readiness_reports_search_failure_and_recovery(bot: WebBot, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "vsearch.db") as connection:
        connection.execute("ALTER TABLE embedded_databases RENAME TO elsewhere")
        connection.commit()
        assert await ready(bot) == (503, WELL | {"search": "failing"})
        connection.execute("ALTER TABLE elsewhere RENAME TO embedded_databases")
        connection.commit()
        assert await ready(bot) == (200, WELL)
    connection.close()


@pytest.mark.usefixtures("_uncached_checks")
async def test_readiness_reports_picture_storage_failure_and_recovery(bot: WebBot, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.rename(tmp_path / "elsewhere")
    assert await ready(bot) == (503, WELL | {"pictures": "failing"})
    (tmp_path / "elsewhere").rename(folder)
    assert await ready(bot) == (200, WELL)


@pytest.mark.usefixtures("_uncached_checks", "_short_wait_for_locks")
async def test_readiness_reports_failed_writes_and_recovery(slack: FakeSlack, bot: WebBot, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "vsearch.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    other = DatabaseKey(WorkspaceId(slack.state.team), DatabaseName("other"))
    # The check itself writes nothing. It knows of a write that failed.
    assert await ready(bot) == (200, WELL)
    with pytest.raises(BackendError):
        await bot.app.services.storage.catalogue.create_database(other)
    assert await ready(bot) == (503, WELL | {"storage": "failing"})
    # Everything else keeps working.
    assert (await bot.browser.get("/healthz")).status_code == 200
    assert (await bot.browser.get("/metrics")).status_code == 200
    await slack.command("help")
    assert "Find similar images" in (await slack.wait_for_answer()).everything
    connection.execute("ROLLBACK")
    connection.close()
    await bot.app.services.storage.catalogue.create_database(other)
    assert await ready(bot) == (200, WELL)


def metric(page: str, name: str) -> float:
    """Return the value of one series."""
    found = [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith(f"{name} ")]
    assert len(found) == 1, f"{name} is there {len(found)} times in\n{page}"
    return float(found[0])


async def test_metrics_count_the_work_done(
    slack: FakeSlack, bot: WebBot, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        shared = await slack.upload(VALVE)
        await slack.wait_for_reply(shared.channel, shared.ts)
    url = pictures.url("new.png", encoded(photo(320, 240, seed=7), "PNG"))
    for _ in range(2):
        before = len(slack.transcript)
        await slack.command(f"add {url} in:parts")
        await slack.wait_for_answer(after=before)
    shortcut = await slack.shortcut_global("search_by_image")
    assert shortcut == {}
    await slack.wait_for_view()

    async def fail(*_: object) -> None:
        raise BackendDown("the disk is on fire")

    monkeypatch.setattr(type(bot.app.services.visual), "search", fail)
    before = len(slack.transcript)
    await slack.command(f"search {url} in:parts")
    assert "can't be reached" in (await slack.wait_for_answer(after=before)).text
    await slack.acknowledged(8)
    assert await bot.app.wrapper.drain(10) == 0
    page = (await bot.browser.get("/metrics")).text
    notice = {
        'vsearch_acknowledgement_seconds_count{kind="events_api"}': 4,
        'vsearch_acknowledgement_seconds_count{kind="slash_commands"}': 3,
        'vsearch_acknowledgement_seconds_count{kind="interactive"}': 1,
        'vsearch_search_seconds_count{outcome="found"}': 2,
        'vsearch_search_seconds_count{outcome="failed"}': 1,
        'vsearch_cache_total{outcome="hit"}': 1,
        # One of them looked for copies of the picture that was added.
        'vsearch_cache_total{outcome="miss"}': 3,
        'vsearch_adds_total{outcome="added"}': 3,
        'vsearch_adds_total{outcome="known"}': 1,
        'vsearch_backend_errors_total{kind="BackendDown"}': 1,
        'vsearch_job_seconds_count{kind="share",outcome="done"}': 2,
        "vsearch_inbox_jobs": 0,
        "vsearch_inbox_oldest_seconds": 0,
    }
    assert {name: metric(page, name) for name in notice} == notice
    assert metric(page, "vsearch_embedding_seconds_count") >= 4
    assert metric(page, "vsearch_embedding_seconds_sum") > 0
    for private in (slack.state.team, GENERAL, SOMEONE, "parts", "valve_0042"):
        assert private not in page
    await slack.upload(GASKET)
    async with asyncio.timeout(10):
        while 'outcome="retried"' not in page:
            page = (await bot.browser.get("/metrics")).text
    assert metric(page, 'vsearch_backend_errors_total{kind="BackendDown"}') == 2
    assert metric(page, "vsearch_inbox_jobs") == 1


async def test_metrics_show_waiting_jobs_and_their_age(
    slack: FakeSlack, bot: WebBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    search = bot.app.services.visual.search

    async def slow_search(*arguments: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await search(*arguments)

    monkeypatch.setattr(type(bot.app.services.visual), "search", lambda _self, *given: slow_search(*given))
    shared = [await slack.upload(encoded(photo(320, 240, seed=seed), "PNG")) for seed in range(6)]
    await begun.wait()
    await slack.acknowledged(2 * len(shared))
    page = (await bot.browser.get("/metrics")).text
    assert metric(page, "vsearch_inbox_jobs") == len(shared)
    assert 0 < metric(page, "vsearch_inbox_oldest_seconds") < 60
    go_on.set()
    for one in shared:
        await slack.wait_for_reply(one.channel, one.ts)


async def test_socket_mode_is_counted_too(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE)
    await slack.wait_for_reply(shared.channel, shared.ts)
    assert metric(app.metrics.render().decode(), 'vsearch_search_seconds_count{outcome="found"}') == 1
