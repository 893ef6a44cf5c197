"""A stand-in for Slack with the few methods that an answer needs, light enough not to disturb the measurement."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from bot.domain.identifiers import LOCAL_WORKSPACE

BOT_TOKEN, APP_TOKEN, SIGNING_SECRET = "xoxb-bench", "xapp-bench", "bench-signing-secret"
CHANNELS = 50
ACKNOWLEDGE_WITHIN_S = 3.0

Json = dict[str, Any]

_IDENTITY = {"team_id": LOCAL_WORKSPACE, "team": "Bench", "user_id": "UBOT", "bot_id": "BBOT"}
"""The command line's workspace, so that the bot does not move its data to another."""


class StandIn:
    """An async context manager that listens on 127.0.0.1. A bot connects with ``environment``."""

    def __init__(self) -> None:
        self.answers: dict[str, list[float]] = {}
        """When the bot posted, by the message that it answered."""
        self.calls: dict[str, int] = {}
        self._files: dict[str, bytes] = {}
        self._numbers = itertools.count(1)
        self._began = int(time.time())
        self._changed = asyncio.Condition()
        self._sockets: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._origin = ""

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application(client_max_size=64 * 1024**2)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._call),
                web.get("/files/{file}", self._download),
                web.post("/upload/{file}", self._receive),
                web.get("/link", self._connect),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ACKNOWLEDGE_WITHIN_S * 5))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self._session.close()
        for socket in list(self._sockets):
            await socket.close()
        await self._runner.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """Settings of a bot for this Slack. Add the signing secret (HTTP) or the app token (Socket Mode)."""
        return {"SLACK_API_URL": f"{self._origin}/api/", "SLACK_BOT_TOKEN": BOT_TOKEN}

    def share(self, content: bytes) -> tuple[str, bytes]:
        """Share a picture. Return the message's ``ts`` and the event body to deliver."""
        number = next(self._numbers)
        file, ts = f"F{number:06d}", f"{self._began}.{number:06d}"
        self._files[file] = content
        event = {
            "type": "message",
            "subtype": "file_share",
            "text": "",
            "user": "USOMEONE",
            "channel": f"C{number % CHANNELS:03d}",
            "channel_type": "channel",
            "ts": ts,
            "event_ts": ts,
            "files": [self._file_object(file, len(content))],
        }
        body = {
            "token": "verification-token",
            "team_id": LOCAL_WORKSPACE,
            "api_app_id": "ABENCH",
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{number:06d}",
            "event_time": self._began,
            "authorizations": [
                {"team_id": LOCAL_WORKSPACE, "user_id": "UBOT", "is_bot": True, "is_enterprise_install": False}
            ],
        }
        return ts, json.dumps(body).encode()

    async def post(self, url: str, body: bytes) -> float:
        """Deliver an event over HTTP. Return the seconds until it was acknowledged."""
        timestamp = str(int(time.time()))
        signed = hmac.new(SIGNING_SECRET.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signed}",
        }
        started = time.perf_counter()
        async with self._session.post(url, data=body, headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()
        return time.perf_counter() - started

    async def send(self, body: bytes) -> float:
        """Deliver an event in Socket Mode. Return the seconds until it was acknowledged."""
        name = f"envelope-{next(self._numbers)}"
        acknowledged = self._waiting[name] = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        await self._sockets[-1].send_str(
            f'{{"envelope_id":"{name}","type":"events_api","accepts_response_payload":false,"payload":{body.decode()}}}'
        )
        await acknowledged
        return time.perf_counter() - started

    async def until_answered(self, messages: list[str], timeout_s: float) -> None:
        """Wait until each message has an answer. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: all(message in self.answers for message in messages))

    async def until_connected(self) -> None:
        """Wait until a bot is connected in Socket Mode."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._sockets)

    def _file_object(self, file: str, size: int) -> Json:
        return {
            "id": file,
            "name": f"{file.lower()}.jpg",
            "mimetype": "image/jpeg",
            "filetype": "jpg",
            "mode": "hosted",
            "size": size,
            "url_private": f"{self._origin}/files/{file}",
        }

    async def _call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls[method] = self.calls.get(method, 0) + 1
        given = await request.json() if request.content_type == "application/json" else dict(await request.post())
        answer = await self._answer(method, dict(request.query) | given)
        return web.json_response({"ok": False, "error": "unknown_method"} if answer is None else {"ok": True, **answer})

    async def _answer(self, method: str, given: Json) -> Json | None:
        if method == "chat.postMessage":
            return await self._record_answer(given)
        if method == "files.getUploadURLExternal":
            file = f"F{next(self._numbers):06d}"
            return {"file_id": file, "upload_url": f"{self._origin}/upload/{file}"}
        simple: Mapping[str, Callable[[], Json]] = {
            "auth.test": lambda: dict(_IDENTITY),
            "apps.connections.open": lambda: {"url": f"{self._origin.replace('http', 'ws', 1)}/link"},
            "conversations.info": lambda: {
                "channel": {"id": given["channel"], "is_channel": True, "is_private": False}
            },
            "files.completeUploadExternal": lambda: {"files": [{"id": f["id"]} for f in json.loads(given["files"])]},
            "files.info": lambda: {"file": self._file_object(given["file"], 0)},
        }
        return simple[method]() if method in simple else None

    async def _record_answer(self, given: Json) -> Json:
        moment = time.perf_counter()
        async with self._changed:
            self.answers.setdefault(given.get("thread_ts", ""), []).append(moment)
            self._changed.notify_all()
        return {"channel": given["channel"], "ts": f"{self._began}.{next(self._numbers):06d}", "message": {}}

    async def _download(self, request: web.Request) -> web.Response:
        return web.Response(body=self._files[request.match_info["file"]], content_type="image/jpeg")

    async def _receive(self, request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="OK")

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "ABENCH"}})
        async with self._changed:
            self._sockets.append(socket)
            self._changed.notify_all()
        try:
            async for message in socket:
                self._waiting.pop(json.loads(message.data)["envelope_id"]).set_result(None)
        finally:
            self._sockets.remove(socket)
        return socket
