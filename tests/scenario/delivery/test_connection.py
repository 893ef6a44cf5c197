"""Connections to Slack that are refused, lost or slow, or deliver another workspace's events."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bot.app.slack_app import build
from bot.config.settings import Settings
from bot.domain.errors import SlackUnavailable
from handlers.slack import socket_client
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start


async def test_url_with_a_failed_handshake_is_not_tried_again(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_client, "ATTEMPT_TIMEOUT_S", 0.2)
    await start()
    slack.socket_mode.refusals = 2
    await slack.socket_mode.ask_to_reconnect()
    await slack.wait_until(lambda: slack.socket_mode.opened == 2)
    await slack.command("help")
    assert "Find similar images" in (await slack.wait_for_answer()).everything


async def test_another_workspaces_delivery_is_acknowledged_and_ignored(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.state.team = "T0OTHER"
    await slack.event({"type": "message", "subtype": "file_share", "channel": "C0", "ts": "1.1", "user": "U1"})
    await slack.acknowledged(1)
    assert await app.wrapper.drain(10) == 0
    assert slack.transcript == []


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
async def test_slack_outage_is_not_reported_as_a_bad_token(slack: FakeSlack, start: Start, method: str) -> None:
    slack.refuse_next(method, "internal_error")
    with pytest.raises(SlackUnavailable, match="when Slack is well"):
        await start()


async def test_other_server_in_place_of_slack_ends_the_start_with_a_message(slack: FakeSlack, tmp_path: Path) -> None:
    slack.state.planned["auth.test"].append((200, {"ok": True}, {}))
    with pytest.raises(SlackUnavailable, match="SLACK_API_URL"):
        async with build(Settings.from_mapping({**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path)})):
            pass


async def test_program_can_be_stopped_while_it_waits_for_slack(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SLACK_API_URL": f"http://127.0.0.1:{port}/api/",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1",
        "VSEARCH_DATA_DIR": str(tmp_path),
    }
    async with server, asyncio.timeout(10):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", env=environment, stderr=asyncio.subprocess.PIPE
        )
        await asked.wait()
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert "stopped before connecting to Slack" in errors.decode()
