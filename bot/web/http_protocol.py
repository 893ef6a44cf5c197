"""HTTP connections with limits of number, time and work, so that no client can keep the event loop or a socket busy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import h11
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

SMALL_BODY = 65_536
"""Size in bytes up to which the unread rest of a body is parsed and dropped."""

CHUNKS_REFUSED = "The chunks of the request body are too short."
HEADER_FIELDS_REFUSED = "The request has too many header fields."


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Limits of a server.

    ``connections``: open connections. When they are all in use, the one that has waited longest for a request ends.
    ``silent_s``: seconds for which Linux keeps a connection to itself while it is silent. That costs the bot no time.
    ``header_s``: seconds to send the head of a request, or the unread rest of a body.
    ``request_s``: seconds from the head of a request to the end of its response.
    ``header_bytes``, ``header_fields``: size of a request's head.
    ``receive_bytes``: bytes to take from a connection at a time. Parsing them takes a few milliseconds at most.
    ``framing_bytes``: bytes of a chunked body that are not content. Each chunk takes time, however short it is.
    ``pipelined``: requests that a client may send before it has the response to the one before.
    """

    connections: int = 512
    silent_s: int = 5
    header_s: float = 5.0
    request_s: float = 60.0
    header_bytes: int = 16_384
    header_fields: int = 100
    receive_bytes: int = 4096
    framing_bytes: int = 8192
    pipelined: int = 10


DEFAULT_LIMITS = HttpLimits()


def limited_protocol(limits: HttpLimits) -> type[asyncio.Protocol]:
    """Return a factory of protocols for uvicorn's ``http`` option, which is declared as a class."""
    waiting = WaitingConnections()

    def create(**given: Any) -> LimitedProtocol:
        return LimitedProtocol(limits, waiting, **given)

    return cast("type[asyncio.Protocol]", create)


class WaitingConnections:
    """The connections of a server that wait for a request, those that have waited longest first."""

    def __init__(self) -> None:
        # Dictionaries keep the order of insertion, so that a flood of connections need not be sorted for each one.
        self._new: dict[LimitedProtocol, None] = {}
        self._served: dict[LimitedProtocol, None] = {}

    def add(self, connection: LimitedProtocol, *, was_served: bool) -> None:
        """Add a connection behind all others. ``was_served``: it has had a response."""
        (self._served if was_served else self._new)[connection] = None

    def discard(self, connection: LimitedProtocol) -> None:
        """Remove a connection, if it is here."""
        self._new.pop(connection, None)
        self._served.pop(connection, None)

    def least_useful(self) -> LimitedProtocol | None:
        """Return the connection to end first, or None. Those that have had a response may be Slack's and come last."""
        return next(iter(self._new or self._served), None)


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol with the limits that uvicorn lacks."""

    def __init__(self, limits: HttpLimits, waiting: WaitingConnections, **given: Any) -> None:
        super().__init__(**given)
        self._limits = limits
        self._waiting = waiting
        self._framing = 0
        self._pipelined = 0
        self._discarding = False
        self._timer: asyncio.TimerHandle | None = None
        self._timed_phase: object = None

    @property
    def is_waiting(self) -> bool:
        """Whether no whole request has arrived since the last response."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and end another one if there are too many."""
        has_room = self._make_room()
        super().connection_made(transport)
        if not has_room:
            self._abort()
            return
        if hasattr(transport, "max_size"):
            # asyncio reads 256 KiB at a time. In chunks of one byte, h11 would parse them for most of a second.
            transport.max_size = self._limits.receive_bytes
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        self._waiting.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, or drop it if it belongs to a request that has its response already."""
        if self._discarding:
            return
        cycle, before = self.cycle, len(self.cycle.body) if self.cycle is not None else 0
        super().data_received(data)
        if self.cycle is not cycle:
            self._framing = 0
        elif cycle is not None and cycle.more_body and not cycle.response_complete:
            self._count_framing(len(data) - (len(cycle.body) - before))
        self._watch()

    def _count_framing(self, size: int) -> None:
        """Refuse a chunked body once too much of it has been the chunks' own lines."""
        self._framing += size
        if self._framing <= self._limits.framing_bytes or self.transport.is_closing():
            return
        # The app stops reading. Its response, if it still gives one, is not sent.
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if self.conn.our_state is h11.SEND_RESPONSE:
            self.send_400_response(CHUNKS_REFUSED)
        else:
            self._abort()

    def on_response_complete(self) -> None:
        """Wait for the next request. Drop the rest of a large body that is still arriving, and close the connection."""
        if self.conn.their_state is h11.DONE and self.conn.trailing_data[0]:
            self._pipelined += 1
            if self._pipelined > self._limits.pipelined:
                self._stop_answering()
                return
        super().on_response_complete()
        # Closing at once would reset the connection, and the client might lose the response. uvicorn itself skips the
        # rest of a small body, after which the client may send its next request.
        is_unfinished = self.conn.their_state is h11.SEND_BODY and not self._has_small_body()
        if is_unfinished and not self._discarding:
            self._discard()
        self._watch()

    def _stop_answering(self) -> None:
        """Drop what the client sent ahead, and tell it that no more responses will come."""
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._discard()
        self._watch()

    def _discard(self) -> None:
        """Drop what still arrives. End our side, or the client would send its next request into this connection."""
        self._discarding = True
        if not self.transport.is_closing():
            self.transport.write_eof()

    def _has_small_body(self) -> bool:
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        # h11 has checked that it is a number of at most 20 digits.
        return length.isdigit() and int(length) <= SMALL_BODY

    def _watch(self) -> None:
        """Start the timer of what the connection waits for now, unless it runs already."""
        phase, seconds = self._phase()
        if phase == self._timed_phase:
            if not self.is_waiting:
                self._waiting.discard(self)
            return
        self._stop_timer()
        self._timed_phase = phase
        self._waiting.discard(self)
        if self.is_waiting and self in self.connections:
            self._waiting.add(self, was_served=self.cycle is not None and self.cycle.response_complete)
        if seconds is not None and not self.transport.is_closing():
            self._timer = self.loop.call_later(seconds, self._abort)

    def _phase(self) -> tuple[object, float | None]:
        if self.cycle is not None and not self.cycle.response_complete:
            return ("request", id(self.cycle)), self._limits.request_s
        is_between = self.cycle is not None and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        # Between two requests, uvicorn's own timer runs.
        return ("between", id(self.cycle)) if is_between else "head", None if is_between else self._limits.header_s

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self) -> bool:
        """Return whether there is room for one more connection; end the least useful one if there isn't."""
        if len(self.connections) < self._limits.connections:
            return True
        ended = self._waiting.least_useful()
        if ended is None:
            return False
        ended._abort()  # noqa: SLF001 - same class
        return True

    def _abort(self) -> None:
        self._stop_timer()
        # The loop calls connection_lost later. Until then the connection must not count.
        self.connections.discard(self)
        self._waiting.discard(self)
        self.transport.abort()


def with_header_limit(app: ASGIApp, limits: HttpLimits) -> ASGIApp:
    """Return an app that refuses requests with too many header fields."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope.get("headers", ())) > limits.header_fields:
            await PlainTextResponse(HEADER_FIELDS_REFUSED, 431)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return limited
