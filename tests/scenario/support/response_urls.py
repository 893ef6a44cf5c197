"""A response URL whose answers a test plans, and a button press that uses it."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.fakes.slack import SOMEONE, FakeSlack, Json, Message
from tests.fakes.slack.payloads import channel_object, interaction

Answer = tuple[int, str]


class ResponseUrl:
    """Accepts everything except what ``plan`` refuses. ``bodies`` has all posts, ``taken`` the accepted ones."""

    def __init__(self) -> None:
        self.bodies: list[Json] = []
        self.taken: list[Json] = []
        self.address = ""
        self._planned: deque[Answer] = deque()
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application()
        app.router.add_post("/commands/T1/2/secret", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}/commands/T1/2/secret"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._runner is not None
        await self._runner.cleanup()

    def plan(self, *answers: int | Answer) -> None:
        """Plan the next answers: statuses, or a status and a body."""
        self._planned.extend((answer, "") if isinstance(answer, int) else answer for answer in answers)

    async def received(self, count: int) -> None:
        """Wait until this many posts have come."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.bodies) >= count)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json()
        status, text = self._planned.popleft() if self._planned else (200, "ok")
        async with self._arrived:
            self.bodies.append(body)
            if status == 200 and "false" not in text:
                self.taken.append(body)
            self._arrived.notify_all()
        return web.Response(status=status, text=text, headers={"Retry-After": "0"})


def pressed(
    slack: FakeSlack,
    message: Message,
    action: Json,
    *,
    user: str = SOMEONE,
    team: str = "",
    response_url: str = "",
) -> Json:
    """Return a button press as Slack sends it. ``team``: the user's own workspace, in a shared channel."""
    payload = interaction(slack.state, "block_actions", slack.state.workspace_of(message.channel), user)
    payload["user"]["team_id"] = team or payload["user"]["team_id"]
    address = slack.state.new_response_url(message.channel, user, message.ts, from_message=True)
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": message.channel}
    return payload | {
        "container": container | {"is_ephemeral": bool(message.to), "thread_ts": message.thread_ts},
        "trigger_id": slack.state.new_trigger(user, slack.state.home, channel=message.channel),
        "channel": channel_object(slack.state, message.channel),
        "response_url": response_url or address,
        "actions": [{"type": "button", "block_id": "buttons", "action_ts": slack.state.ts(), **action}],
    }


def button(message: Message, action_id: str) -> Json:
    """Return a button of a message as an action."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    found = next(element for row in rows for element in row if element["action_id"] == action_id)
    return {"action_id": action_id, "value": found["value"]}
