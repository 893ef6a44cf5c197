"""Runs uvicorn inside our event loop, with our signal handling and logging, and shuts it down gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from bot.domain.errors import CannotListen
from bot.web.http_protocol import DEFAULT_LIMITS, HttpLimits, limited_protocol, with_header_limit

GRACE_S = 10
BACKLOG = 2048

ACCEPTED_AT_ONCE = 32
"""Connections that asyncio accepts before it does anything else. It would accept as many as the backlog has."""

CLOSED_AT_ONCE = 64
"""Connections that ended before they were accepted, and that are closed in one turn."""

# Longer than the 60 s for which proxies keep a connection, so that they never send a request into one that is closing.
KEEP_ALIVE_S = 75


def freeze_heap() -> None:
    """Exclude all objects that exist now from garbage collection. Call it once, when the process is about to listen.

    Otherwise a full collection, which any burst of connections can cause, goes through everything that was loaded at
    the start, while the event loop waits.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def serving(
    app: ASGIApp, host: str, port: int, *, grace_s: int = GRACE_S, limits: HttpLimits = DEFAULT_LIMITS
) -> AsyncIterator[tuple[str, int]]:
    """Serve the app until the context exits; yield the host and the port. Port 0 picks a free one. Raises CannotListen.

    On exit, the server accepts no new requests and gives running ones ``grace_s`` seconds to finish.
    """
    listening = await _listen(host, port, limits)
    server = _EmbeddedServer(
        uvicorn.Config(
            with_header_limit(app, limits),
            http=limited_protocol(limits),
            h11_max_incomplete_event_size=limits.header_bytes,
            backlog=ACCEPTED_AT_ONCE,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,  # it would contain the tokens of picture links
            proxy_headers=False,
            server_header=False,
            workers=1,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=grace_s,
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listening]), name="web")
    try:
        await server.ready.wait()
        # The kernel's queue can be longer than what is accepted at once.
        listening.listen(BACKLOG)
        bound = listening.getsockname()
        yield str(bound[0]), int(bound[1])
    finally:
        server.should_exit = True
        await running


async def _listen(host: str, port: int, limits: HttpLimits) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except (OSError, UnicodeError) as error:
        raise CannotListen(_listen_error(error, host, port)) from error
    # Accepted sockets inherit TCP_NODELAY, which asyncio sets only on sockets with an explicit protocol number. Without
    # it, each answer with a body waits 40 ms for the client to acknowledge the headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, limits.silent_s)
    return ListeningSocket(listening.family, listening.type, listening.proto, listening.detach())


class ListeningSocket(socket.socket):
    """Closes connections that have ended before they are accepted, without an object of asyncio's for each."""

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that is open. Raises BlockingIOError as soon as too many have been closed."""
        for _ in range(CLOSED_AT_ONCE):
            connection, address = super().accept()
            if not _has_ended(connection):
                return connection, address
            connection.close()
        raise BlockingIOError(errno.EAGAIN, "Other work goes first.")


def _has_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _listen_error(error: Exception, host: str, port: int) -> str:
    number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if number == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use. Stop the program that listens there, or set another PORT."
    if number == errno.EACCES:
        return f"The bot may not listen on port {port}. Set a PORT of 1024 or more."
    return f"The bot can't listen on {host}. Set HOST to an address of this machine."


class _EmbeddedServer(uvicorn.Server):
    """Sets ``ready`` once it listens, and installs no signal handlers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
