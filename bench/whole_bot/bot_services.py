"""Build the whole bot against a Slack server that only answers ``auth.test``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web

from bot.app.services import Services
from bot.app.slack_app import build
from bot.config.settings import Settings
from bot.domain.identifiers import LOCAL_WORKSPACE


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Services]:
    """Yield the services after building everything that a running bot holds, except its connection to Slack."""

    async def auth_test(_request: web.Request) -> web.Response:
        # Use the command line's workspace, so that the bot does not move its data to another.
        return web.json_response(
            {"ok": True, "team_id": LOCAL_WORKSPACE, "team": "Bench", "user_id": "U1", "bot_id": "B1"}
        )

    slack = web.Application()
    slack.router.add_post("/api/auth.test", auth_test)
    runner = web.AppRunner(slack)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        url = f"http://127.0.0.1:{port}/api/"
        async with build(replace(settings, slack_bot_token="xoxb-bench", slack_api_url=url)) as app:
            yield app.services
    finally:
        await runner.cleanup()
