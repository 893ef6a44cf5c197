"""The server on a real socket: listening, and graceful stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import statistics
import time

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from bot.domain.errors import CannotListen, UserError
from bot.web import serving


class Slow:
    """An application that signals a request and answers when it is released."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.arrived.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended = True
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


async def _plain(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_free_port_is_chosen_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with serving(_plain, "127.0.0.1", 0) as (host, port), httpx.AsyncClient() as client:
            answer = await client.get(f"http://{host}:{port}/media/a-token")
    assert (host, answer.text) == ("127.0.0.1", "ok")
    assert "server" not in answer.headers
    # Ignore the log lines of httpx, the client in this test. The program's log setup silences them.
    assert not any("a-token" in record.getMessage() for record in caplog.records if record.name != "httpx")
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((host, port), 0.2).close()


async def test_response_with_a_body_is_not_delayed() -> None:
    async with serving(_plain, "127.0.0.1", 0) as (host, port), httpx.AsyncClient() as client:
        took_s = []
        for _ in range(20):
            begun = time.perf_counter()
            await client.get(f"http://{host}:{port}/")
            took_s.append(time.perf_counter() - begun)
        # A server that waits for the client needs 40 ms for every answer. On a busy machine a single one may too.
        assert statistics.median(took_s) < 0.04


async def test_server_does_not_install_signal_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with serving(_plain, "127.0.0.1", 0):
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


async def test_host_name_is_resolved() -> None:
    async with serving(_plain, "localhost", 0) as (host, port):
        assert host in {"127.0.0.1", "::1"}
        socket.create_connection((host, port), 1).close()


async def test_port_in_use_is_reported_in_one_sentence() -> None:
    async with serving(_plain, "127.0.0.1", 0) as (host, port):
        with pytest.raises(CannotListen, match=f"Port {port} on 127.0.0.1 is in use. .* set another PORT") as refused:
            async with serving(_plain, host, port):
                raise AssertionError
    assert isinstance(refused.value, UserError)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 70 + ".invalid"])
async def test_address_of_another_machine_is_reported_in_one_sentence(host: str) -> None:
    with pytest.raises(CannotListen, match="Set HOST to an address of this machine"):
        async with serving(_plain, host, 0):
            raise AssertionError


async def test_stop_finishes_running_requests_and_accepts_no_more() -> None:
    app = Slow()

    async def ask(url: str) -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get(url)).text

    async with serving(app, "127.0.0.1", 0) as (host, port):
        asked = asyncio.create_task(ask(f"http://{host}:{port}/"))
        await app.arrived.wait()
        asyncio.get_running_loop().call_later(0.15, app.go_on.set)
    assert await asked == "done"
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((host, port), 0.2).close()


async def test_requests_are_cut_off_after_the_grace_period() -> None:
    app = Slow()

    async def ask(url: str) -> None:
        async with httpx.AsyncClient() as client:
            await client.get(url)

    async with serving(app, "127.0.0.1", 0, grace_s=0) as (host, port):
        asked = asyncio.create_task(ask(f"http://{host}:{port}/"))
        await app.arrived.wait()
    for _ in range(50):
        await asyncio.sleep(0.002)
        if app.ended:
            break
    assert app.ended
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


async def test_idle_connections_do_not_delay_the_stop() -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(5), serving(_plain, "127.0.0.1", 0) as (host, port):
        await client.get(f"http://{host}:{port}/")


async def test_error_inside_the_context_is_raised_and_ends_the_server() -> None:
    with pytest.raises(KeyError):
        async with serving(_plain, "127.0.0.1", 0) as (host, port):
            raise KeyError
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((host, port), 0.2).close()
