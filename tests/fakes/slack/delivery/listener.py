"""Minimal apps that acknowledge and record everything that the stand-in delivers."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from tests.fakes.slack.server import FakeSlack
from tests.fakes.slack.values import Json


class SocketListener:
    """An app in Socket Mode. ``answers`` go into acknowledgements, by payload type or command name."""

    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self.received: list[Json] = []
        self.answers: dict[str, Json] = {}

    async def __aenter__(self) -> Self:
        """Connect."""
        self._session = aiohttp.ClientSession()
        headers = {"Authorization": f"Bearer {self._slack.state.app_token}"}
        async with self._session.post(f"{self._slack.api_url}apps.connections.open", headers=headers) as answer:
            url = (await answer.json())["url"]
        socket = await self._session.ws_connect(url)
        await socket.receive_json()
        self._task = asyncio.create_task(self._listen(socket))
        return self

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            envelope = message.json()
            payload = envelope["payload"]
            self.received.append(payload)
            answer = self.answers.get(payload.get("type") or payload.get("command"), {})
            await socket.send_json({"envelope_id": envelope["envelope_id"], "payload": answer})

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        assert self._session is not None
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._session.close()

    def events(self, kind: str) -> list[Json]:
        """Return the received events of a type."""
        return [p["event"] for p in self.received if p["type"] == "event_callback" and p["event"]["type"] == kind]


class HttpListener:
    """An app that listens on 127.0.0.1. It gives its ``answers`` in turn, then empty ones with status 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, dict[str, str]]] = []
        self.answers: list[web.Response | float] = []
        """Answers to give. A number is a delay in seconds before the next one."""
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application()
        app.router.add_post("/slack/events", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/slack/events"
        return self

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((body, {name.lower(): value for name, value in request.headers.items()}))
        answer = self.answers.pop(0) if self.answers else web.Response()
        if isinstance(answer, web.Response):
            return answer
        await asyncio.sleep(answer)
        return web.Response()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._runner is not None
        await self._runner.cleanup()
