"""Socket Mode: envelopes out, acknowledgements in, redelivery when none comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from aiohttp import WSMsgType, web

from tests.fakes.slack.delivery import Delivery, Unacknowledged
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Ack, Json

TIMEOUT, GONE = "timeout", "connection_closed"


class SocketMode(Delivery):
    """``/link``: at most ten connections, each envelope goes to one of them."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.delays_s = ()
        self._connections: list[web.WebSocketResponse] = []
        self._waiting: dict[str, tuple[asyncio.Future[Json], web.WebSocketResponse]] = {}
        self._turn = 0
        self.opened = 0
        self.refusals = 0
        """Handshakes that fail from now on; the ticket is spent all the same."""

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where it listens."""
        return [web.get("/link", self._connect)]

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self.state.tickets:
            self.state.fail("a WebSocket without a fresh ticket")
            return web.Response(status=408)
        self.state.tickets.discard(ticket)
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self._connections) + 1,
                "connection_info": {"app_id": self.state.app_id},
                "debug_info": {"host": "127.0.0.1", "approximate_connection_time": 3600},
            }
        )
        async with self.state.changed:
            self._connections.append(socket)
            self.opened += 1
            self.state.changed.notify_all()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(json.loads(message.data))
        finally:
            await self._lost(socket)
        return socket

    async def _lost(self, socket: web.WebSocketResponse) -> None:
        async with self.state.changed:
            self._connections.remove(socket)
            self.state.changed.notify_all()
        for future, used in list(self._waiting.values()):
            if used is socket and not future.done():
                future.set_exception(Unacknowledged(GONE, excused=True))

    def _acknowledged(self, body: Json) -> None:
        waiting, _ = self._waiting.pop(body.get("envelope_id", ""), (None, None))
        if waiting is None or waiting.done():
            self.state.fail(f"an acknowledgement of nothing: {body}")
        else:
            waiting.set_result(body.get("payload") or {})

    async def attempt(self, kind: str, payload: Json, attempt: int, reason: str) -> Ack:
        """Send an envelope to whoever's turn it is, and wait."""
        name = f"envelope-{self.state.number()}"
        envelope = {
            "envelope_id": name,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        socket = await self._next_connection()
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[name] = (waiting, socket)
        started = time.perf_counter()
        with contextlib.suppress(ConnectionError):
            await socket.send_json(envelope)
        try:
            answer = await asyncio.wait_for(waiting, self.acknowledge_within_s)
        except TimeoutError:
            raise Unacknowledged(TIMEOUT) from None
        finally:
            self._waiting.pop(name, None)
        return Ack(name, kind, time.perf_counter() - started, answer)

    async def _next_connection(self) -> web.WebSocketResponse:
        await self.connected()
        self._turn += 1
        return self._connections[self._turn % len(self._connections)]

    async def connected(self) -> None:
        """Wait until somebody listens."""
        async with self.state.changed:
            await self.state.changed.wait_for(lambda: self._connections)

    async def ask_to_reconnect(self) -> None:
        """Tell every connection to open a new one, as Slack does every hour or so."""
        for socket in list(self._connections):
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested", "debug_info": {}})

    async def close(self) -> None:
        """Stop delivering and hang up."""
        await self.stop()
        for socket in list(self._connections):
            await socket.close()
