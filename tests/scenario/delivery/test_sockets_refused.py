"""Slack allows ten connections of an app. An eleventh process waits until one ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.socket_client import ReconnectingClient
from tests.fakes.slack import FakeSlack


class FastReconnectingClient(ReconnectingClient):
    """A client with shorter delays."""

    too_many_connections_pause_s = 0.5


async def test_eleventh_connection_waits_until_another_ends(slack: FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    token = slack.environment["SLACK_APP_TOKEN"]
    web = AsyncWebClient(base_url=slack.environment["SLACK_API_URL"])
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        others = []
        for _ in range(10):
            opened = await web.apps_connections_open(app_token=token)
            others.append(await stack.enter_async_context(session.ws_connect(str(opened["url"]))))
        await slack.wait_until(lambda: slack.socket_mode.connections == len(others))
        client = FastReconnectingClient(token, logging.getLogger("test"), web)
        stack.push_async_callback(client.close)
        await client.connect()
        await slack.wait_until(lambda: slack.socket_mode.refused == 1)
        await asyncio.sleep(0.3)
        assert slack.socket_mode.refused == 1
        assert "waiting for one to end" in caplog.text
        await others[0].close()
        await slack.wait_until(lambda: client.current_session is not None and slack.socket_mode.opened == 11)
