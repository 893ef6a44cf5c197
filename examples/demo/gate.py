"""Start the stand-in, and let only this machine's browsers and programs reach it.

    python -m examples.demo.gate --socket FD --port PORT [--alone] [--front FILE] -- PROGRAM …

The stand-in listens on all interfaces, and has no option to change that. If the kernel grants it a network namespace
(``isolation``), only this process reaches it there. This process accepts connections on a socket that was bound to
loopback outside the namespace. It also adds what the page lacks (``page``). It ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.demo import page

MOST_HEAD = 64 * 1024
STOP_WITHIN_S = 5
CONNECT_WITHIN_S = 10

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_LOCAL = ("127.0.0.1", "localhost")


class LoopbackProxy:
    """Relays each connection, which is one request or one WebSocket."""

    def __init__(self, port: int, front: Path | None) -> None:
        self._port = port
        self._front = front

    async def handle_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection from outside."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = page.Request.parse(await reader.readuntil(b"\r\n\r\n"))
            await self._answer(request, reader, writer)
        writer.close()

    async def _answer(self, request: page.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Refuse other sites' pages that this machine's browser shows.
        if not request.is_from(_LOCAL):
            writer.write(page.answer("403 Forbidden", b"Only this machine's own pages are served."))
        elif request.path == "/" and self._front is not None and self._front.exists():
            writer.write(page.redirect(self._front.read_text(encoding="utf-8")))
        else:
            await self._pass_on(request, reader, writer)
        await writer.drain()

    async def _pass_on(self, request: page.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await self._connect()
        inner_writer.write(request.passed_on())
        outwards = asyncio.create_task(_copy(reader, inner_writer))
        try:
            if request.wants_page:
                writer.write(page.completed(await inner_reader.read()))
            else:
                writer.write(page.passed_back(await inner_reader.readuntil(b"\r\n\r\n")))
                await _copy(inner_reader, writer)
        finally:
            outwards.cancel()
            inner_writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the stand-in, which may still be starting."""
        async with asyncio.timeout(CONNECT_WITHIN_S):
            while True:
                try:
                    return await asyncio.open_connection("127.0.0.1", self._port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(MOST_HEAD):
            writer.write(data)
            await writer.drain()


def enable_loopback() -> None:
    """Bring up loopback, which is down in a new network namespace. Raises OSError."""
    import fcntl  # noqa: PLC0415 - not on every platform that the gate runs on

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = struct.pack("16sH14s", b"lo", 0, b"")
        _, flags, _ = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _GET_FLAGS, name))
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14s", b"lo", flags | _UP, b""))


async def run_proxy(visitors: socket.socket, gate: LoopbackProxy, command: Sequence[str]) -> int:
    """Run the stand-in and relay connections until it ends or standard input is closed. Return the exit code."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    ends = [
        asyncio.create_task(process.wait()),
        asyncio.create_task(_end_of_input()),
        asyncio.create_task(stopped.wait()),
    ]
    # Not “async with”: since Python 3.12, it waits for all connections to close.
    server = await asyncio.start_server(gate.handle_connection, sock=visitors, limit=MOST_HEAD)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    server.close()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait(ends[:1], timeout=STOP_WITHIN_S)
    if process.returncode is None:
        process.kill()
        await process.wait()
        return 0
    for end in ends:
        end.cancel()
    return 0 if process.returncode < 0 or stopped.is_set() else process.returncode


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def main(arguments: Sequence[str]) -> int:
    """Run the gate. With ``--check``, only test whether it could run in this network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only try whether loopback comes up here")
    parser.add_argument("--alone", action="store_true", help="this is a network of our own")
    parser.add_argument("--socket", type=int, help="the listening socket, inherited")
    parser.add_argument("--port", type=int, help="where the stand-in listens")
    parser.add_argument("--front", type=Path, help="file with the address that / leads to")
    parser.add_argument("command", nargs="*", help="what starts the stand-in")
    options = parser.parse_args(arguments)
    if options.check or options.alone:
        enable_loopback()
    if options.check:
        return 0
    visitors = socket.socket(fileno=options.socket)
    return asyncio.run(run_proxy(visitors, LoopbackProxy(options.port, options.front), options.command))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
