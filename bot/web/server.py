"""uvicorn as a guest: our loop, our signals, our log, and an end that lets running requests finish."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from bot.domain.errors import CannotListen

GRACE_S = 10
BACKLOG = 2048

# Longer than the minute for which proxies keep a connection, or they would send a request into one that just closes.
KEEP_ALIVE_S = 75


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, *, grace_s: int = GRACE_S) -> AsyncIterator[tuple[str, int]]:
    """Inside, the app is served; yields the address (port 0: a free one). Raises CannotListen.

    On the way out nothing new is accepted, and what runs has ``grace_s`` to finish.
    """
    listening = await _listen(host, port)
    server = _EmbeddedServer(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,  # it would tell tokens of pictures
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
        bound = listening.getsockname()
        yield str(bound[0]), int(bound[1])
    finally:
        server.should_exit = True
        await running


async def _listen(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except (OSError, UnicodeError) as error:
        raise CannotListen(_listen_error(error, host, port)) from error
    # What is accepted inherits it. The loop sets it only on sockets that name their protocol, and without it each
    # answer with a body waits 40 ms for the client's acknowledgement of its headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _listen_error(error: Exception, host: str, port: int) -> str:
    number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if number == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: end what listens there, or set another PORT."
    if number == errno.EACCES:
        return f"Port {port} is not for everybody: set a PORT of 1024 or more."
    return f"The bot can't listen on {host}: set HOST to an address of this machine."


class _EmbeddedServer(uvicorn.Server):
    """Says when it listens, and leaves signals to the program."""

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
