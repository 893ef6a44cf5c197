"""Downloads of Slack files by aiohttp: its errors in words, and connections that are used again."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.test_utils import TestServer

from bot.domain.errors import FetchRefused
from bot.images.fetch.slack_files import SlackFiles

KEY: Any = ConnectionKey("files.slack.com", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError()), "no valid certificate"),
        (aiohttp.ClientConnectorError(KEY, OSError()), "didn't answer"),
        (aiohttp.ServerDisconnectedError(), "closed the connection"),
        (aiohttp.ClientPayloadError(), "closed the connection"),
        (aiohttp.SocketTimeoutError(), "took longer"),
        (aiohttp.InvalidURL("https://files.slack.com/a"), "can't be used"),
    ],
)
async def test_errors_of_a_download_are_told_in_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(aiohttp.ClientSession, "_request", fail)
    slack = SlackFiles(max_bytes=10, timeout_s=5, slack_api_url="https://slack.com/api/")
    with pytest.raises(FetchRefused, match=words):
        await slack.download("https://files.slack.com/a", "xoxb-not-a-token")
    await slack.close()


async def test_downloads_use_one_connection_and_send_addresses_as_they_are() -> None:
    asked: list[tuple[object, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.transport, request.raw_path))
        return web.Response(body=b"picture", headers={"Set-Cookie": "a=b"})

    app = web.Application()
    app.add_routes([web.get("/{path:.*}", answer)])
    async with TestServer(app) as server:
        origin = f"http://127.0.0.1:{server.port}"
        slack = SlackFiles(max_bytes=10, timeout_s=5, slack_api_url=f"{origin}/api/")
        signed = "/files/a%20b%2Fc.png?signature=x%7Ey%2Bz"
        for _ in range(3):
            assert await slack.download(origin + signed, "xoxb-not-a-token") == b"picture"
        await slack.close()
    assert len({transport for transport, _ in asked}) == 1
    assert {path for _, path in asked} == {signed}
