"""``python -m bot`` over HTTP as a process: it serves, stops, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from bot.config.version import installed_version
from tests.fakes.slack import GENERAL, FakeSlack, Json, Message
from tests.fakes.slack.delivery.deliveries import NO_ANSWER
from tests.fakes.slack.payloads import share_event
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.program import free_port, program
from tests.scenario.support.web_bot import SECRET, stock, web_bot

VALVE = encoded(photo(640, 480, seed=1), "PNG")
SHARES = 24


async def settings_over_http(slack: FakeSlack, data_dir: Path) -> tuple[str, dict[str, str]]:
    """Return the program's address and settings. Its database has one picture."""
    async with web_bot(slack, data_dir) as bot:
        await stock(bot.app, slack.state.team, "parts", valve_0042=VALVE)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    slack.http(f"{url}/slack/events", SECRET)
    return url, {**slack.environment, "VSEARCH_DATA_DIR": str(data_dir), "HOST": "127.0.0.1", "PORT": f"{port}"}


async def test_program_serves_and_ends_on_sigterm(slack: FakeSlack, tmp_path: Path) -> None:
    url, settings = await settings_over_http(slack, tmp_path / "data")
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        assert await slack.verify_url()
        await slack.command("db")
        assert "`parts`" in (await slack.wait_for_answer()).everything
        shared = await slack.upload(VALVE)
        assert "`valve_0042`" in (await slack.wait_for_reply(shared.channel, shared.ts)).everything
        started = time.monotonic()
        assert await bot.end() == 0
        assert time.monotonic() - started < 5
    assert f"listening on {url}" in bot.errors
    assert "connected to Fake team" in bot.errors
    assert not re.search("WARNING|ERROR|Traceback", bot.errors), bot.errors
    assert slack.state.bot_token not in bot.errors
    assert SECRET not in bot.errors
    assert max(ack.seconds for ack in slack.state.acks) < 3


async def share(slack: FakeSlack, seed: int) -> tuple[Message, asyncio.Task[Json]]:
    """Share a picture. The task says whether the bot accepted it."""
    channel = slack.state.channels[GENERAL]
    channel.bot_is_member = False
    message = await slack.upload(encoded(photo(320, 240, seed=seed), "PNG"))
    channel.bot_is_member = True
    return message, slack.event(share_event(slack.state, message))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_nothing_accepted_is_lost_when_stopped_under_load(
    slack: FakeSlack, tmp_path: Path, how: signal.Signals
) -> None:
    url, settings = await settings_over_http(slack, tmp_path / "data")
    slack.tolerate_silence()
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        sent = [await share(slack, seed) for seed in range(SHARES)]
        await slack.acknowledged(SHARES // 3)
        code = await bot.end(how)
        assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0), bot.errors
        assert "Traceback" not in bot.errors
    answers = await asyncio.gather(*(task for _, task in sent))
    accepted = [message for (message, _), answer in zip(sent, answers, strict=True) if answer is not NO_ANSWER]
    assert len(accepted) >= SHARES // 3
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        for message in accepted:
            await slack.wait_for_reply(message.channel, message.ts, timeout_s=30)
        assert await bot.end() == 0
    assert [len(slack.replies(message.ts)) for message in accepted] == [1] * len(accepted)


async def test_running_command_is_answered_before_the_end(slack: FakeSlack, tmp_path: Path) -> None:
    url, settings = await settings_over_http(slack, tmp_path / "data")
    async with program(settings) as bot:
        await bot.wait_until_listening(url)
        commands = [slack.command("db") for _ in range(8)]
        await slack.acknowledged(len(commands))
        assert await bot.end() == 0
    await slack.wait_until(lambda: len(slack.transcript) == len(commands))


async def test_port_in_socket_mode_serves_all_but_slacks_routes(slack: FakeSlack, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data_dir = tmp_path / "data"
    own = {
        "VSEARCH_DATA_DIR": str(data_dir),
        "HOST": "127.0.0.1",
        "PORT": f"{port}",
        "PUBLIC_BASE_URL": url,
        "VSEARCH_READ_TEXT": "off",
    }
    settings: Mapping[str, str] = {**slack.environment, **own}
    async with web_bot(slack, data_dir) as first:
        await stock(first.app, slack.state.team, "parts", valve_0042=VALVE)
    slack.http_mode = None
    async with program(settings) as bot, httpx.AsyncClient(base_url=url) as browser:
        await bot.wait_until_listening(url)
        await slack.socket_mode.connected()
        shared = await slack.upload(VALVE)
        answer = await slack.wait_for_reply(shared.channel, shared.ts)
        shown = re.findall(rf'"image_url": "{url}(/media/[^"]+)"', json.dumps(answer.blocks))
        assert shown
        picture = await browser.get(shown[0])
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
        assert (await browser.get(shown[0][:-3])).status_code == 404
        assert (await browser.get("/healthz")).text == f"ok\nvsearch {installed_version()}\n"
        ready = await browser.get("/readyz")
        # What is still to compute in the background may stand beside them.
        assert ready.json() | {"details": []} == {
            "ready": True,
            "checks": {"storage": "ok", "search": "ok", "pictures": "ok", "slack": "ok"},
            "details": [],
        }
        metrics = (await browser.get("/metrics")).text
        assert 'vsearch_acknowledgement_seconds_count{kind="events_api"}' in metrics
        assert (await browser.post("/slack/events", content=b"{}")).status_code == 404
        assert (await browser.get("/slack/install")).status_code == 404
        assert await bot.end() == 0


async def test_taken_port_ends_the_start_in_one_sentence(slack: FakeSlack, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        slack.http(f"http://127.0.0.1:{port}/slack/events", SECRET)
        own = {"VSEARCH_DATA_DIR": str(tmp_path / "data"), "HOST": "127.0.0.1", "PORT": f"{port}"}
        async with program({**slack.environment, **own}) as bot:
            code = await bot.end(None)
    assert code == 6
    (line,) = bot.errors.splitlines()
    assert line.startswith(f"Error: Port {port} on 127.0.0.1 is in use")
