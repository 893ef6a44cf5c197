"""Requests to Slack go through the proxy of the environment, unless NO_PROXY names the host."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from bot.images.fetch import downloads
from bot.images.fetch.proxies import ProxiedTransport
from handlers.slack.clients import web_client
from handlers.slack.proxies import proxy_for
from handlers.slack.socket_client import ReconnectingClient

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost,.inner.example,host.example:8080")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://slack.com/api/", PROXY),
        ("wss://wss-primary.slack.com/link/?ticket=1", PROXY),
        ("http://127.0.0.1:5000/api/", None),
        ("ws://127.0.0.1:5000/link", None),
        ("http://localhost/api/", None),
        ("https://slack.inner.example/api/", None),
        ("https://host.example:8080/api/", None),
        ("https://host.example/api/", PROXY),
    ],
)
def test_no_proxy_is_honoured(url: str, proxy: str | None) -> None:
    assert proxy_for(url) == proxy
    assert web_client("xoxb-1", url).proxy == proxy


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost", "[::1]:80", "slack.localhost", "127.8.9.1"])
def test_loopback_never_uses_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.delenv("NO_PROXY")
    assert proxy_for(f"http://{host}/api/") is None
    assert proxy_for("https://slack.com/api/") == PROXY


async def test_files_of_slack_come_through_the_proxy_and_those_of_loopback_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        transport = ProxiedTransport(downloads.tls_context())
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            await client.get("http://files.example/picture.png")
            await client.get(f"http://{address}/picture.png")
    assert asked == ["GET http://files.example/picture.png HTTP/1.1", "GET /picture.png HTTP/1.1"]


def test_proxy_for_http_serves_https_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_for("https://slack.com/api/") is None
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    assert proxy_for("https://slack.com/api/") == PROXY


async def test_each_socket_has_the_proxy_of_its_url() -> None:
    client = ReconnectingClient("xapp-1", logging.getLogger(__name__), web_client("xapp-1", "https://slack.com/api/"))
    try:
        for url, proxy in (("ws://127.0.0.1:1/link", None), ("wss://wss-primary.slack.com/link", PROXY)):
            client.use(url)
            assert (client.wss_uri, client.proxy) == (url, proxy)
    finally:
        await client.close()  # type: ignore[no-untyped-call]
