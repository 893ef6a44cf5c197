"""Limits of the server: what anybody can send neither stalls the event loop nor keeps connections for long."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bot.web import serving
from bot.web.http_protocol import DEFAULT_LIMITS, HttpLimits
from bot.web.server import CLOSED_AT_ONCE, ListeningSocket
from tests.unit.web.measured_server import measured_server
from tests.unit.web.unsigned_requests import REQUESTS, open_many, send
from tests.unit.web.web_application import WebClient

STALL_S = 0.020
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: v.example\r\nConnection: close\r\n\r\n"

QUICK = replace(DEFAULT_LIMITS, header_s=0.3, request_s=0.6, silent_s=0, connections=4)


async def _ok(_request: Request) -> Response:
    return PlainTextResponse("ok")


def _web() -> WebClient:
    return WebClient(slack=_ok, install=_ok, oauth_redirect=_ok)


@pytest.mark.parametrize("name", REQUESTS)
def test_no_unsigned_request_stalls_the_loop(name: str) -> None:
    with measured_server(_web().app) as (loop, address):
        send(address, ALIVE)
        loop.longest_s = 0.0
        answer = send(address, REQUESTS[name]())
        assert loop.longest_s < STALL_S
        assert not answer.startswith(b"HTTP/1.1 5")
        assert send(address, ALIVE).startswith(b"HTTP/1.1 200")


def test_many_connections_do_not_stall_the_loop() -> None:
    with measured_server(_web().app) as (loop, address):
        send(address, ALIVE)
        loop.longest_s = 0.0
        opened = open_many(address, 900)
        assert send(address, ALIVE).startswith(b"HTTP/1.1 200")
        for connection in opened:
            connection.close()
        assert loop.longest_s < STALL_S


def _is_closed_after(connection: socket.socket, drip: bytes = b"") -> float:
    """Return the seconds until the server closes a connection that gets ``drip`` every 50 ms."""
    began = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() - began < 5:
        try:
            if drip:
                connection.sendall(drip)
            if connection.recv(65_536) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("begun", "drip"),
    [
        (b"", b""),
        (b"GET /healthz HTTP/1.1\r\n", b"a: b\r\n"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET", b" "),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 100),
    ],
    ids=["silence", "slow head", "slow second head", "endless unread body"],
)
def test_slow_requests_end(begun: bytes, drip: bytes) -> None:
    with measured_server(_web().app, QUICK) as (_, address), socket.create_connection(address, 5) as connection:
        connection.sendall(begun)
        assert _is_closed_after(connection, drip) < 3


def test_response_that_the_client_does_not_read_ends() -> None:
    ended = threading.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not ended.is_set():
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await asyncio.sleep(0)

    with measured_server(endless, QUICK) as (_, address), socket.create_connection(address, 5) as connection:
        connection.sendall(ALIVE)
        time.sleep(1.0)
        connection.settimeout(2)
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 - what is buffered can still be read
            while connection.recv(65_536):
                pass
            raise ConnectionResetError("closed")
        ended.set()


async def test_connection_between_requests_is_kept() -> None:
    async with serving(_web().app, "127.0.0.1", 0, limits=QUICK) as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: v.example\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2) == b"ok"
            await asyncio.sleep(0.8)
        writer.close()


async def test_new_connection_takes_the_place_of_one_that_waits() -> None:
    async with serving(_web().app, "127.0.0.1", 0, limits=replace(QUICK, header_s=60)) as address:
        served, idle = await asyncio.open_connection(*address), []
        served[1].write(b"GET /healthz HTTP/1.1\r\nHost: v.example\r\n\r\n")
        await served[0].readuntil(b"ok")
        for _ in range(3 * QUICK.connections):
            idle.append(await asyncio.open_connection(*address))
            await asyncio.sleep(0.01)
        # The oldest of the idle ones are closed; the one that had a response and the newest are not.
        assert await asyncio.wait_for(_ends(idle[0][0]), 2)
        for reader, writer in (served, idle[-1]):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: v.example\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"ok"), 2)
        for _, writer in (served, *idle):
            writer.close()


async def _ends(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def test_connection_is_refused_when_all_others_are_at_work() -> None:
    go_on = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await PlainTextResponse("ok")(scope, receive, send)

    limits = HttpLimits(connections=2, silent_s=0)
    async with serving(slow, "127.0.0.1", 0, limits=limits) as address:
        busy = [await asyncio.open_connection(*address) for _ in range(2)]
        for _, writer in busy:
            writer.write(ALIVE)
        await asyncio.sleep(0.05)
        refused, writer = await asyncio.open_connection(*address)
        assert await asyncio.wait_for(_ends(refused), 2)
        go_on.set()
        for reader, _ in busy:
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
        for _, one in (*busy, (refused, writer)):
            one.close()


def _chunked(content: bytes, size: int) -> bytes:
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    head = b"POST /slack/events HTTP/1.1\r\nHost: v.example\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@pytest.mark.parametrize(("size", "status"), [(1, b"400"), (30, b"400"), (4000, b"200")])
def test_body_in_short_chunks_is_refused(size: int, status: bytes) -> None:
    read = 0

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal read
        read = len(await Request(scope, receive).body())
        await PlainTextResponse("ok")(scope, receive, send)

    with measured_server(count) as (_, address):
        assert send(address, _chunked(b"a" * 90_000, size)).startswith(b"HTTP/1.1 " + status)
    assert read == (90_000 if status == b"200" else 0)


@pytest.mark.parametrize(("number", "answered"), [(11, 11), (12, 11), (3000, 11)])
def test_only_few_pipelined_requests_are_answered(number: int, answered: int) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: v.example\r\n\r\n"
    with measured_server(_web().app) as (_, address):
        assert send(address, one * number).count(b"HTTP/1.1 200") == answered


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="only Linux holds silent connections back")
async def test_silent_connections_take_no_place() -> None:
    async with serving(_web().app, "127.0.0.1", 0, limits=HttpLimits(connections=2)) as address:
        begun = await asyncio.open_connection(*address)
        begun[1].write(ALIVE[:20])
        silent = [await asyncio.open_connection(*address) for _ in range(6)]
        await asyncio.sleep(0.05)
        begun[1].write(ALIVE[20:])
        assert (await asyncio.wait_for(begun[0].read(), 2)).startswith(b"HTTP/1.1 200")
        for _, writer in (begun, *silent):
            writer.close()


def test_connections_that_have_ended_are_not_accepted() -> None:
    with ListeningSocket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        listening.setblocking(False)
        for _ in range(CLOSED_AT_ONCE + 1):
            socket.create_connection(listening.getsockname(), 5).close()
        with socket.create_connection(listening.getsockname(), 5) as silent:
            with pytest.raises(BlockingIOError):
                listening.accept()
            accepted, address = listening.accept()
            assert address == silent.getsockname()
            accepted.close()


async def test_large_bodies_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.web import request_body  # noqa: PLC0415 - patched below

    monkeypatch.setattr(request_body, "MAX_LARGE", 1)
    reader = request_body.BodyReader(1_000_000, 0.5)
    sent, go_on = [0, 0], asyncio.Event()

    async def body(number: int) -> dict[str, object]:
        sent[number] += 1
        if number == 0 and sent[number] == 2:
            await go_on.wait()
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": sent[number] < 3}

    scope = {"type": "http", "method": "POST", "headers": []}
    first = asyncio.create_task(reader.read(Request(scope, lambda: body(0))))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(reader.read(Request(scope, lambda: body(1))))
    await asyncio.sleep(0.05)
    assert sent == [2, 1]
    go_on.set()
    assert [len(await one or b"") for one in (first, second)] == [300_000, 300_000]
