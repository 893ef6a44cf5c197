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

HEADER_FIELDS_REFUSED = "The request has too many header fields."


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Limits of a server.

    ``connections``: open connections. When they are all in use, the one that has waited longest for a request ends.
    ``header_s``: seconds to send the head of a request, or the unread rest of a body.
    ``request_s``: seconds from the head of a request to the end of its response.
    ``header_bytes``, ``header_fields``: size of a request's head.
    ``receive_bytes``: bytes to take from a connection at a time. Parsing them takes a few milliseconds at most.
    """

    connections: int = 512
    header_s: float = 5.0
    request_s: float = 60.0
    header_bytes: int = 16_384
    header_fields: int = 100
    receive_bytes: int = 4096


DEFAULT_LIMITS = HttpLimits()


def limited_protocol(limits: HttpLimits) -> type[asyncio.Protocol]:
    """Return a factory of protocols for uvicorn's ``http`` option, which is declared as a class."""

    def create(**given: Any) -> LimitedProtocol:
        return LimitedProtocol(limits, **given)

    return cast("type[asyncio.Protocol]", create)


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol with the limits that uvicorn lacks."""

    def __init__(self, limits: HttpLimits, **given: Any) -> None:
        super().__init__(**given)
        self._limits = limits
        self._since = self.loop.time()
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
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, or drop it if it belongs to a request that has its response already."""
        if self._discarding:
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request. Drop the rest of a large body that is still arriving, and close the connection."""
        super().on_response_complete()
        # Closing at once would reset the connection, and the client might lose the response. uvicorn itself skips the
        # rest of a small body, after which the client may send its next request.
        is_unfinished = self.conn.their_state is h11.SEND_BODY and not self._has_small_body()
        self._discarding = self._discarding or is_unfinished
        self._watch()

    def _has_small_body(self) -> bool:
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        # h11 has checked that it is a number of at most 20 digits.
        return length.isdigit() and int(length) <= SMALL_BODY

    def _watch(self) -> None:
        """Start the timer of what the connection waits for now, unless it runs already."""
        phase, seconds = self._phase()
        if phase == self._timed_phase:
            return
        self._stop_timer()
        self._timed_phase, self._since = phase, self.loop.time()
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
        waiting = [one for one in self.connections if isinstance(one, LimitedProtocol) and one.is_waiting]
        if not waiting:
            return False
        # Connections that have had a response may be Slack's or a proxy's, so they come last.
        min(waiting, key=lambda one: (one.cycle is not None and one.cycle.response_complete, one._since))._abort()  # noqa: SLF001 - same class
        return True

    def _abort(self) -> None:
        self._stop_timer()
        # The loop calls connection_lost later. Until then the connection must not count.
        self.connections.discard(self)
        self.transport.abort()


def with_header_limit(app: ASGIApp, limits: HttpLimits) -> ASGIApp:
    """Return an app that refuses requests with too many header fields."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope.get("headers", ())) > limits.header_fields:
            await PlainTextResponse(HEADER_FIELDS_REFUSED, 431)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return limited
