"""Reconnecting, and stopping: running work is finished, and no more is accepted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.app.slack_app import build
from bot.config.settings import Settings
from handlers.slack.connection import socket_mode
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import VALVE
from tests.scenario.support.shares import reply


async def test_bot_reconnects_when_slack_asks(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.socket_mode.ask_to_reconnect()
    await slack.wait_until(lambda: slack.socket_mode.opened == 2 and slack.socket_mode.connections == 1)
    assert "`valve_0042`" in (await reply(slack, await slack.upload(VALVE))).everything


async def test_stop_finishes_running_work_and_accepts_no_more(
    slack: FakeSlack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_mapping({**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path)})
    begun, go_on = asyncio.Event(), asyncio.Event()
    async with build(settings) as app:
        await fill(app, "parts", valve_0042=VALVE)
        search = app.services.visual.search

        async def slow_search(*arguments: Any) -> Any:
            begun.set()
            await go_on.wait()
            return await search(*arguments)

        monkeypatch.setattr(type(app.services.visual), "search", lambda _self, *given: slow_search(*given))
        async with AsyncExitStack() as stack:
            token = settings.slack_app_token or ""
            await stack.enter_async_context(socket_mode(app.bolt, app.wrapper, token, settings.slack_api_url))
            shared = await slack.upload(VALVE)
            await begun.wait()
            stopping = asyncio.create_task(stack.aclose())
            await asyncio.sleep(0)
            assert not stopping.done()
            go_on.set()
            await stopping
        assert "`valve_0042`" in (await reply(slack, shared)).everything
    assert slack.socket_mode.connections == 0


async def test_program_answers_and_ends_on_sigterm(slack: FakeSlack, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        **slack.environment,
        "VSEARCH_DATA_DIR": str(tmp_path),
        # Otherwise Bolt would switch to OAuth by itself, and ignore the bot token.
        "SLACK_CLIENT_ID": "1.1",
        "SLACK_CLIENT_SECRET": "secret",
        "HOME": str(tmp_path),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        await slack.socket_mode.connected()
        await slack.command("help")
        assert "Find similar images" in (await slack.wait_for_answer()).everything
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert "connected to Fake team" in errors.decode()
    assert "WARNING" not in errors.decode()
    assert slack.state.bot_token not in errors.decode()
