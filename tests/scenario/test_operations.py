"""What an operator sees: health, metrics, start-up errors, the doctor, and no secret anywhere."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.blocks.ids import ActionId
from bot.errors import BackendDown
from bot.web import health
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.pictures import encoded, photo
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.program import free_port, program
from tests.scenario.web_bot import SECRET, WebBot, begin_install, finish_install, install, many, stock, web_bot

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
"""The SDK's oauth_v2_access uses what aiohttp is about to drop."""


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path, pictures: PictureServer) -> AsyncIterator[WebBot]:
    async with web_bot(slack, tmp_path, VSEARCH_TRUSTED_HOSTS=pictures.address) as running:
        await stock(running.app, slack.state.team, "parts", valve_0042=VALVE, gasket_7=GASKET)
        yield running


WELL = {"storage": "ok", "search": "ok", "slack": "ok"}


async def ready(bot: WebBot) -> tuple[int, dict[str, str]]:
    answer = await bot.browser.get("/readyz")
    return answer.status_code, answer.json()["checks"]


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is asked anew."""
    monkeypatch.setattr(health, "KEPT_S", 0.0)


@pytest.mark.usefixtures("_at_once")
async def test_readiness_tells_that_slack_fails_and_recovers(slack: FakeSlack, bot: WebBot) -> None:
    assert await ready(bot) == (200, WELL)
    slack.refuse_next("auth.test", "token_revoked")
    assert await ready(bot) == (503, WELL | {"slack": "failing"})
    assert (await bot.browser.get("/healthz")).status_code == 200
    assert await ready(bot) == (200, WELL)


@pytest.mark.usefixtures("_at_once")
async def test_readiness_tells_that_the_search_fails_and_recovers(bot: WebBot, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "vsearch.db") as connection:
        connection.execute("ALTER TABLE embedded_databases RENAME TO elsewhere")
        connection.commit()
        assert await ready(bot) == (503, WELL | {"search": "failing"})
        connection.execute("ALTER TABLE elsewhere RENAME TO embedded_databases")
        connection.commit()
        assert await ready(bot) == (200, WELL)
    connection.close()


@pytest.mark.usefixtures("_at_once")
async def test_readiness_tells_that_storage_does_not_answer_and_recovers(
    slack: FakeSlack, bot: WebBot, tmp_path: Path
) -> None:
    connection = sqlite3.connect(tmp_path / "vsearch.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    assert await ready(bot) == (503, WELL | {"storage": "slow"})
    # The rest of the house goes on meanwhile.
    assert (await bot.browser.get("/healthz")).status_code == 200
    assert (await bot.browser.get("/metrics")).status_code == 200
    await slack.command("help")
    assert "Find pictures" in (await slack.wait_for_answer()).everything
    connection.execute("ROLLBACK")
    connection.close()
    assert await ready(bot) == (200, WELL)


def metric(page: str, name: str) -> float:
    """The value of one series."""
    found = [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith(f"{name} ")]
    assert len(found) == 1, f"{name} is there {len(found)} times in\n{page}"
    return float(found[0])


async def test_metrics_count_what_was_really_done(
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
    assert await bot.app.guard.drain(10) == 0
    page = (await bot.browser.get("/metrics")).text
    told = {
        'vsearch_acknowledgement_seconds_count{kind="events_api"}': 4,
        'vsearch_acknowledgement_seconds_count{kind="slash_commands"}': 3,
        'vsearch_acknowledgement_seconds_count{kind="interactive"}': 1,
        'vsearch_search_seconds_count{outcome="found"}': 2,
        'vsearch_search_seconds_count{outcome="failed"}': 1,
        'vsearch_cache_total{outcome="hit"}': 1,
        'vsearch_cache_total{outcome="miss"}': 2,
        'vsearch_adds_total{outcome="added"}': 3,
        'vsearch_adds_total{outcome="known"}': 1,
        'vsearch_backend_errors_total{kind="BackendDown"}': 1,
        'vsearch_job_seconds_count{kind="share",outcome="done"}': 2,
        "vsearch_inbox_jobs": 0,
        "vsearch_inbox_oldest_seconds": 0,
    }
    assert {name: metric(page, name) for name in told} == told
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


async def test_metrics_tell_what_waits_and_for_how_long(
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


PLANTED = {
    "SLACK_BOT_TOKEN": "xoxb-1111-planted-in-the-settings",
    "SLACK_APP_TOKEN": "xapp-1-planted-in-the-settings",
    "SLACK_SIGNING_SECRET": "signing-planted-in-the-settings",
    "SLACK_CLIENT_SECRET": "client-planted-in-the-settings",
    "SLACK_STATE_SECRET": "state-planted-in-the-settings",
}


async def called(slack: FakeSlack, method: str, count: int) -> None:
    """Until a method was called so often, whatever came of it."""
    async with asyncio.timeout(10):
        while len(slack.calls(method)) < count:
            await asyncio.sleep(0.01)


async def use_everything(slack: FakeSlack, browser: httpx.AsyncClient, shared_picture: str) -> list[str]:
    """Make the bot say all that it can, well and unwell; what it answered."""
    assert slack.http_mode is not None
    told = [(await install(slack, browser, "T0ONE")).text, (await browser.get("/slack/install")).text]
    told.append((await browser.get("/slack/oauth_redirect?code=planted-code&state=planted-state")).text)
    slack.oauth.expires_in = 3600
    begun = await begin_install(browser)
    redirect = slack.approve_install(begun.authorize_url, team="T0ONE")
    slack.oauth.codes.clear()
    told.append((await finish_install(browser, redirect, begun.cookie)).text)
    slack.refuse_next("chat.postMessage", "invalid_auth")
    await slack.upload(VALVE)
    await called(slack, "chat.postMessage", 1)
    slack.break_next("chat.postMessage")
    await slack.upload(GASKET)
    await called(slack, "chat.postMessage", 2)
    shared = await slack.upload(VALVE)
    answer = await slack.wait_for_reply(shared.channel, shared.ts)
    await slack.press(answer, ActionId.ADD_THIS, value="{forged")
    for text in ("db", "help", f"search {shared_picture} in:parts", f"add {shared_picture} in:parts", "nonsense", ""):
        await slack.command(text)
    await slack.command("db", channel="C0ONE")
    slack.refuse_next("views.open", "expired_trigger_id")
    await slack.command("")
    for body in ("{", '{"type": "event_callback", "event": {"type": "message"}}'):
        for headers in (slack.http_mode.signed(body), slack.http_mode.signed(body, secret="wrong"), {}):
            await slack.deliver_raw(body, headers)
    paths = ("/metrics", "/readyz", "/healthz", "/media/gAAAA-planted", "/slack/events")
    return [*told, *[(await browser.get(path)).text for path in paths]]


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_secret_is_in_any_log_line_metric_or_answer(
    slack: FakeSlack, tmp_path: Path, pictures: PictureServer, log_format: str
) -> None:
    slack.add_workspace("T0ONE", "One")
    slack.add_channel("C0ONE", "general", team="T0ONE")
    slack.state.give_token(slack.state.home, PLANTED["SLACK_BOT_TOKEN"])
    slack.oauth.client_secret = PLANTED["SLACK_CLIENT_SECRET"]
    data_dir, port = tmp_path / "data", free_port()
    async with web_bot(slack, data_dir) as first:
        await stock(first.app, slack.state.team, "parts", valve_0042=VALVE)
    url = f"http://127.0.0.1:{port}"
    slack.http(f"{url}/slack/events", PLANTED["SLACK_SIGNING_SECRET"])
    settings = {
        **many(slack),
        **{name: value for name, value in PLANTED.items() if name != "SLACK_APP_TOKEN"},
        "SLACK_API_URL": slack.api_url,
        "HOST": "127.0.0.1",
        "PORT": f"{port}",
        "VSEARCH_DATA_DIR": str(data_dir),
        "VSEARCH_LOG_LEVEL": "debug",
        "VSEARCH_LOG_FORMAT": log_format,
        "VSEARCH_TRUSTED_HOSTS": pictures.address,
        "DATABASE_URL": f"sqlite:///{data_dir}/vsearch.db",
    }
    async with program(settings) as bot, httpx.AsyncClient(base_url=url) as browser:
        await bot.listens(url)
        told = await use_everything(slack, browser, pictures.url("valve.png", VALVE))
        assert await bot.end() == 0, bot.errors
    tokens = {workspace.bot_token for workspace in slack.state.workspaces} | set(slack.oauth.refresh_tokens)
    secrets = {*PLANTED.values(), *tokens, settings["DATABASE_URL"], "planted-code", "planted-state", "code-"}
    secrets |= {f"/commands/{number}" for number in slack.state.response_urls}
    for secret in secrets - {""}:
        for line in bot.errors.splitlines():
            assert secret not in line
        assert not any(secret in answer for answer in told)
    if log_format == "json":
        lines = [json.loads(line) for line in bot.errors.splitlines()]
        assert {line["level"] for line in lines} >= {"debug", "info"}
        assert all(line["request_id"] for line in lines)
    else:
        assert " DEBUG " in bot.errors


@pytest.mark.parametrize("arguments", [(), ("--debug",)])
async def test_a_refused_token_is_not_repeated(slack: FakeSlack, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    own = {"SLACK_API_URL": slack.api_url, "VSEARCH_DATA_DIR": str(tmp_path / "data")}
    async with program({**PLANTED, **own}, *arguments) as bot:
        assert await bot.end(None) == 4
    assert "Slack refused SLACK_BOT_TOKEN (invalid_auth)" in bot.errors
    assert not any(secret in bot.errors for secret in PLANTED.values())
    slack.state.give_token(slack.state.home, PLANTED["SLACK_BOT_TOKEN"])
    async with program({**PLANTED, **own}, *arguments) as bot:
        assert await bot.end(None) == 4
    assert "Slack refused SLACK_APP_TOKEN (invalid_auth)" in bot.errors
    assert not any(secret in bot.errors for secret in PLANTED.values())


UNFIT = {
    "no credentials": {"SLACK_BOT_TOKEN": "", "SLACK_SIGNING_SECRET": ""},
    "no way to be reached": {"SLACK_SIGNING_SECRET": ""},
    "half of OAuth": {"SLACK_BOT_TOKEN": "", "SLACK_CLIENT_ID": "1.2"},
    "a wrong setting": {"VSEARCH_THREADS": "many"},
    "no model": {"VSEARCH_MODEL_PATH": "none.onnx"},
    "Slack away": {"SLACK_API_URL": "http://127.0.0.1:9/api/"},
    "no such address": {"HOST": "192.0.2.1"},
    "a database elsewhere": {"DATABASE_URL": "sqlite:////nowhere/at/all.db"},
}


def spoil(kind: str, data_dir: Path) -> None:
    """Put something into the way of a start."""
    data_dir.mkdir()
    match kind:
        case "no database file":
            (data_dir / "vsearch.db").write_bytes(b"not SQLite" * 1000)
        case "newer data":
            with sqlite3.connect(data_dir / "vsearch.db") as connection:
                connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
                connection.execute("INSERT INTO alembic_version VALUES ('9999')")
            connection.close()
        case "no pictures":
            (data_dir / "pictures").write_text("in the way")
        case "a file in the way":
            data_dir.rmdir()
            data_dir.write_text("in the way")


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("no credentials", 3, "Set SLACK_APP_TOKEN"),
        ("no way to be reached", 3, "Set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET"),
        ("half of OAuth", 3, "SLACK_CLIENT_SECRET and SLACK_STATE_SECRET must be set too"),
        ("a wrong setting", 3, "VSEARCH_THREADS must be"),
        ("no model", 3, "VSEARCH_MODEL_PATH"),
        ("Slack away", 4, "can't be reached"),
        ("no such address", 6, "can't listen on 192.0.2.1"),
        ("a database elsewhere", 7, "can't be used"),
        ("a file in the way", 7, "can't be used"),
        ("no database file", 7, "can't be used"),
        ("newer data", 7, "newer vsearch"),
        ("no pictures", 7, "icture"),
    ],
)
async def test_what_keeps_it_from_starting_is_said_in_a_sentence_and_a_code(
    slack: FakeSlack, tmp_path: Path, kind: str, code: int, says: str
) -> None:
    slack.http("http://127.0.0.1:9/", SECRET)
    settings = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "PORT": "0", "HOST": "127.0.0.1"}
    await asyncio.to_thread(spoil, kind, tmp_path / "data")
    async with program({**settings, **UNFIT.get(kind, {})}) as bot:
        assert await bot.end(None) == code, bot.errors
    assert says in bot.errors
    assert bot.errors.startswith("Error: ")
    assert "Traceback" not in bot.errors
    assert len(bot.errors.splitlines()) == (2 if says.startswith("Set ") else 1)
