"""A small web server on 127.0.0.1 that sends exactly the given bytes and records its connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def response(body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Return an HTTP/1.1 answer. ``length`` may be wrong; a negative one leaves the header out."""
    declared = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if declared >= 0:
        lines.append(f"Content-Length: {declared}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str) -> bytes:
    return response(b"", f"Location: {location}", status="302 Found")


@dataclass
class Request:
    path: str
    headers: dict[str, str]


@dataclass
class WebServer:
    """Serves answers by path. ``connections`` counts every accepted connection."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        pairs = (line.partition(": ") for line in head[1:] if line)
        self.requests.append(Request(path, {name.lower(): value for name, _, value in pairs}))
        answer = self.answers.get(path, response(status="404 Not Found"))
        if callable(answer):
            await answer(writer)
        else:
            writer.write(answer)
        await writer.drain()


@asynccontextmanager
async def web_server() -> AsyncIterator[WebServer]:
    web = WebServer()
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(web.handle(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    web.port = listening.sockets[0].getsockname()[1]
    try:
        yield web
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await listening.wait_closed()
