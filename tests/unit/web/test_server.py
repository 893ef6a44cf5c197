"""The server on a real socket: where it listens, and how it ends."""

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
    """Answers when it is let; says when a request has come."""

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


async def test_a_free_port_is_found_and_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with serving(_plain, "127.0.0.1", 0) as (host, port), httpx.AsyncClient() as client:
            answer = await client.get(f"http://{host}:{port}/media/a-token")
    assert (host, answer.text) == ("127.0.0.1", "ok")
    assert "server" not in answer.headers
    # httpx, which asks here, does tell addresses: the log of the program keeps it quiet.
    assert not any("a-token" in record.getMessage() for record in caplog.records if record.name != "httpx")
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((host, port), 0.2).close()


async def test_an_answer_with_a_body_does_not_wait_for_the_client() -> None:
    async with serving(_plain, "127.0.0.1", 0) as (host, port), httpx.AsyncClient() as client:
        took_s = []
        for _ in range(20):
            begun = time.perf_counter()
            await client.get(f"http://{host}:{port}/")
            took_s.append(time.perf_counter() - begun)
        # One that waits does so for 40 ms each time. On a busy machine single ones take as long.
        assert statistics.median(took_s) < 0.04


async def test_server_does_not_install_signal_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with serving(_plain, "127.0.0.1", 0):
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


async def test_a_name_is_looked_up() -> None:
    async with serving(_plain, "localhost", 0) as (host, port):
        assert host in {"127.0.0.1", "::1"}
        socket.create_connection((host, port), 1).close()


async def test_a_port_in_use_is_reported_in_one_line() -> None:
    async with serving(_plain, "127.0.0.1", 0) as (host, port):
        with pytest.raises(CannotListen, match=f"Port {port} on 127.0.0.1 is in use. .* set another PORT") as refused:
            async with serving(_plain, host, port):
                raise AssertionError
    assert isinstance(refused.value, UserError)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 70 + ".invalid"])
async def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(CannotListen, match="Set HOST to an address of this machine"):
        async with serving(_plain, host, 0):
            raise AssertionError


async def test_what_runs_is_finished_and_nothing_new_is_taken() -> None:
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


async def test_an_error_inside_is_passed_on_and_the_server_ends() -> None:
    with pytest.raises(KeyError):
        async with serving(_plain, "127.0.0.1", 0) as (host, port):
            raise KeyError
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((host, port), 0.2).close()
