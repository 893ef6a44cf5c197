"""No secret appears in logs at any level, metrics, answers or errors."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from bot.blocks.ids import ActionId
from tests.fakes.slack import FakeSlack
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import PictureServer
from tests.scenario.support.program import free_port, program
from tests.scenario.support.web_bot import begin_install, finish_install, install, oauth_settings, stock, web_bot

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")

PLANTED = {
    "SLACK_BOT_TOKEN": "xoxb-1111-planted-in-the-settings",
    "SLACK_APP_TOKEN": "xapp-1-planted-in-the-settings",
    "SLACK_SIGNING_SECRET": "signing-planted-in-the-settings",
    "SLACK_CLIENT_SECRET": "client-planted-in-the-settings",
    "SLACK_STATE_SECRET": "state-planted-in-the-settings",
}


async def wait_for_calls(slack: FakeSlack, method: str, count: int) -> None:
    """Wait until a method was called this many times, successfully or not."""
    async with asyncio.timeout(10):
        while len(slack.calls(method)) < count:  # noqa: ASYNC110 - a refused call wakes nobody
            await asyncio.sleep(0.01)


async def use_everything(slack: FakeSlack, browser: httpx.AsyncClient, shared_picture: str) -> list[str]:
    """Make the bot use all its answers, with and without errors, and return them."""
    assert slack.http_mode is not None
    notice = [(await install(slack, browser, "T0ONE")).text, (await browser.get("/slack/install")).text]
    notice.append((await browser.get("/slack/oauth_redirect?code=planted-code&state=planted-state")).text)
    slack.oauth.expires_in = 3600
    begun = await begin_install(browser)
    redirect = slack.approve_install(begun.authorize_url, team="T0ONE")
    slack.oauth.codes.clear()
    notice.append((await finish_install(browser, redirect, begun.cookie)).text)
    slack.refuse_next("chat.postMessage", "invalid_auth")
    await slack.upload(VALVE)
    await wait_for_calls(slack, "chat.postMessage", 1)
    slack.break_next("chat.postMessage")
    await slack.upload(GASKET)
    await wait_for_calls(slack, "chat.postMessage", 2)
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
    return [*notice, *[(await browser.get(path)).text for path in paths]]


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
        **oauth_settings(slack),
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
        await bot.wait_until_listening(url)
        notice = await use_everything(slack, browser, pictures.url("valve.png", VALVE))
        assert await bot.end() == 0, bot.errors
    tokens = {workspace.bot_token for workspace in slack.state.workspaces} | set(slack.oauth.refresh_tokens)
    secrets = {*PLANTED.values(), *tokens, settings["DATABASE_URL"], "planted-code", "planted-state", "code-"}
    secrets |= {f"/commands/{number}" for number in slack.state.response_urls}
    for secret in secrets - {""}:
        for line in bot.errors.splitlines():
            assert secret not in line
        assert not any(secret in answer for answer in notice)
    if log_format == "json":
        lines = [json.loads(line) for line in bot.errors.splitlines()]
        assert {line["level"] for line in lines} >= {"debug", "info"}
        assert all(line["request_id"] for line in lines)
    else:
        assert " DEBUG " in bot.errors


@pytest.mark.parametrize("arguments", [(), ("--debug",)])
async def test_refused_token_is_not_repeated(slack: FakeSlack, tmp_path: Path, arguments: tuple[str, ...]) -> None:
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
