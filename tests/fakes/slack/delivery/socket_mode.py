"""Socket Mode: send envelopes, receive acknowledgements, and deliver again if there is none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from tests.fakes.slack.delivery.deliveries import Delivery, Unacknowledged
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Ack, Json

TIMEOUT, GONE = "timeout", "connection_closed"
WARNING, REFRESH, TOO_MANY = "warning", "refresh_requested", "too_many_websockets"
MOST_CONNECTIONS = 10


@dataclass(eq=False, slots=True)
class Connection:
    """One WebSocket of the app. The first that was opened is number 1."""

    number: int
    socket: web.WebSocketResponse
    is_leaving: bool = False
    """Whether the app was asked to replace it. It then gets nothing while other connections are open."""

    async def ask_for_replacement(self, reason: str) -> None:
        """Ask the app to replace the connection. Slack warns ten seconds before, and delivers until then."""
        self.is_leaving = reason != WARNING
        with contextlib.suppress(ConnectionError):
            await self.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "127.0.0.1"}})


@dataclass(slots=True)
class _Sent:
    """An envelope that waits for its acknowledgement."""

    answer: asyncio.Future[Json]
    by: Connection


class SocketMode(Delivery):
    """Serves ``/link`` with at most ten connections.

    An envelope goes to any connection. A repetition goes to one that has not had it.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.delays_s = ()
        self._open: list[Connection] = []
        self._waiting: dict[str, _Sent] = {}
        self._given_up: set[str] = set()
        self._had: defaultdict[str, set[int]] = defaultdict(set)
        """Numbers of the connections that had an event, by event id."""
        self._random = random.Random(1)
        self._through: ContextVar[int | None] = ContextVar("through", default=None)
        self._sent = 0
        self.opened = 0
        self.refused = 0
        """Number of connections refused beyond the tenth."""
        self.refusals = 0
        """Number of handshakes that will fail. Each uses up its ticket."""
        self.refresh_every = 0
        """Ask for a replacement of a connection, or warn of it, once per this many envelopes. 0: never."""
        self.acknowledged: Counter[int] = Counter()
        """Acknowledged envelopes by the number of the connection that they were sent on."""

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [web.get("/link", self._connect)]

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._open)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the open connections, oldest first."""
        return [connection.number for connection in self._open]

    @property
    def unacknowledged(self) -> Counter[int]:
        """Envelopes without an acknowledgement yet, by connection number."""
        return Counter(sent.by.number for sent in self._waiting.values())

    @contextmanager
    def through(self, number: int) -> Iterator[None]:
        """Deliver first to this connection, if it is open, within this context."""
        # A context variable, since the task that sends may start after the block has ended.
        token = self._through.set(number)
        try:
            yield
        finally:
            self._through.reset(token)

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
        if len(self._open) >= MOST_CONNECTIONS:
            self.refused += 1
            await Connection(0, socket).ask_for_replacement(TOO_MANY)
            await socket.close()
            return socket
        await self._greet(socket)
        async with self.state.changed:
            self.opened += 1
            connection = Connection(self.opened, socket)
            self._open.append(connection)
            self.state.changed.notify_all()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(json.loads(message.data))
        finally:
            await self._lost(connection)
        return socket

    async def _greet(self, socket: web.WebSocketResponse) -> None:
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self._open) + 1,
                "connection_info": {"app_id": self.state.app_id},
                "debug_info": {"host": "127.0.0.1", "approximate_connection_time": 3600},
            }
        )

    async def _lost(self, connection: Connection) -> None:
        async with self.state.changed:
            self._open.remove(connection)
            self.state.changed.notify_all()
        for sent in list(self._waiting.values()):
            if sent.by is connection and not sent.answer.done():
                sent.answer.set_exception(Unacknowledged(GONE, excused=True))

    def _acknowledged(self, body: Json) -> None:
        name = body.get("envelope_id", "")
        sent = self._waiting.pop(name, None)
        if sent is not None and not sent.answer.done():
            self.acknowledged[sent.by.number] += 1
            sent.answer.set_result(body.get("payload") or {})
        elif sent is None and name not in self._given_up:
            self.state.fail(f"an acknowledgement of nothing: {body}")
        # A late acknowledgement: the envelope was sent again.
        self._given_up.discard(name)

    async def attempt(self, kind: str, payload: Json, attempt: int, reason: str) -> Ack:
        """Send an envelope to one of the connections, and wait."""
        name = f"envelope-{self.state.number()}"
        envelope = {
            "envelope_id": name,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        connection = await self._choose(str(payload.get("event_id", "")))
        sent = _Sent(asyncio.get_running_loop().create_future(), connection)
        self._waiting[name] = sent
        started = time.perf_counter()
        with contextlib.suppress(ConnectionError):
            await connection.socket.send_json(envelope)
        await self._refresh_regularly()
        try:
            async with asyncio.timeout(self.acknowledge_within_s):
                answer = await sent.answer
        except TimeoutError:
            self._given_up.add(name)
            raise Unacknowledged(TIMEOUT) from None
        except Unacknowledged:
            self._given_up.add(name)
            raise
        finally:
            self._waiting.pop(name, None)
        return Ack(name, kind, time.perf_counter() - started, answer)

    async def _choose(self, event_id: str) -> Connection:
        await self.connected()
        had = self._had[event_id] if event_id else set()
        candidates = [one for one in self._open if not one.is_leaving] or self._open
        candidates = [one for one in candidates if one.number not in had] or candidates
        candidates = [one for one in candidates if one.number == self._through.get()] or candidates
        chosen = self._random.choice(candidates)
        had.add(chosen.number)
        return chosen

    async def _refresh_regularly(self) -> None:
        self._sent += 1
        if self.refresh_every and self._open and self._sent % self.refresh_every == 0:
            await self._random.choice(self._open).ask_for_replacement(self._random.choice((WARNING, REFRESH)))

    async def connected(self, count: int = 1, *, timeout_s: float | None = None) -> None:
        """Wait until this many connections are open."""
        async with asyncio.timeout(timeout_s), self.state.changed:
            await self.state.changed.wait_for(lambda: len(self._open) >= count)

    async def ask_to_reconnect(self) -> None:
        """Ask every connection to be replaced, as Slack does every hour or so."""
        for connection in list(self._open):
            await connection.ask_for_replacement(REFRESH)

    async def close(self) -> None:
        """Stop delivering, and close all connections."""
        await self.stop()
        for connection in list(self._open):
            await connection.socket.close()
