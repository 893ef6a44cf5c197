"""Socket Mode: envelopes out, acknowledgements in, redelivery when none comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from aiohttp import WSMsgType, web

from tests.fakes.slack.state import Ack, Json, Message, State

RETRY_REASON = "timeout"


class SocketMode:
    """``/link``: at most ten connections, each envelope goes to one of them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._connections: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0
        self.opened = 0
        self.acknowledge_within_s = 3.0
        self.retries = 3
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
        if ticket not in self._state.tickets:
            self._state.fail("a WebSocket without a fresh ticket")
            return web.Response(status=408)
        self._state.tickets.discard(ticket)
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self._connections) + 1,
                "connection_info": {"app_id": self._state.app_id},
                "debug_info": {"host": "127.0.0.1", "approximate_connection_time": 3600},
            }
        )
        async with self._state.changed:
            self._connections.append(socket)
            self.opened += 1
            self._state.changed.notify_all()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(json.loads(message.data))
        finally:
            async with self._state.changed:
                self._connections.remove(socket)
                self._state.changed.notify_all()
        return socket

    def _acknowledged(self, body: Json) -> None:
        waiting = self._waiting.pop(body.get("envelope_id", ""), None)
        if waiting is None or waiting.done():
            self._state.fail(f"an acknowledgement of nothing: {body}")
        else:
            waiting.set_result(body.get("payload") or {})

    def deliver(self, kind: str, payload: Json) -> asyncio.Task[None]:
        """Send an envelope until it is acknowledged; the task ends when that is settled."""
        task = asyncio.create_task(self._deliver(kind, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, kind: str, payload: Json) -> None:
        # A command's failure is shown to its author at once; only events are sent again.
        attempts = self.retries + 1 if kind == "events_api" else 1
        for attempt in range(attempts):
            envelope = {
                "envelope_id": f"envelope-{self._state.number()}",
                "type": kind,
                "payload": payload,
                "accepts_response_payload": kind != "events_api",
            }
            if kind == "events_api":
                envelope |= {"retry_attempt": attempt, "retry_reason": RETRY_REASON if attempt else ""}
            if await self._send(kind, envelope):
                return
            self._state.fail(f"no acknowledgement of {kind} within {self.acknowledge_within_s:g} s")

    async def _send(self, kind: str, envelope: Json) -> bool:
        name = envelope["envelope_id"]
        socket = await self._next_connection()
        waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        with contextlib.suppress(ConnectionError):
            await socket.send_json(envelope)
        try:
            payload = await asyncio.wait_for(waiting, self.acknowledge_within_s)
        except TimeoutError:
            self._waiting.pop(name, None)
            return False
        ack = Ack(name, kind, time.perf_counter() - started, payload)
        async with self._state.changed:
            self._state.acks.append(ack)
            self._state.changed.notify_all()
        if payload.get("text") and envelope["accepts_response_payload"]:
            await self._show_immediate_answer(envelope["payload"], payload)
        return True

    async def _show_immediate_answer(self, command: Json, answer: Json) -> None:
        public = answer.get("response_type") == "in_channel"
        await self._state.post(
            Message(
                channel=command.get("channel_id", ""),
                ts=self._state.ts(),
                user=self._state.bot_user,
                text=answer["text"],
                blocks=tuple(answer.get("blocks") or ()),
                to="" if public else command.get("user_id", ""),
                via="ack",
            )
        )

    async def _next_connection(self) -> web.WebSocketResponse:
        await self.connected()
        self._turn += 1
        return self._connections[self._turn % len(self._connections)]

    async def connected(self) -> None:
        """Wait until somebody listens."""
        async with self._state.changed:
            await self._state.changed.wait_for(lambda: self._connections)

    async def ask_to_reconnect(self) -> None:
        """Tell every connection to open a new one, as Slack does every hour or so."""
        for socket in list(self._connections):
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested", "debug_info": {}})

    async def close(self) -> None:
        """Stop delivering and hang up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self._connections):
            await socket.close()
