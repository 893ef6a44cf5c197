"""Downloads of Slack files: the token is sent to Slack and to the configured fake only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.domain.errors import FetchRefused
from bot.images.fetch.slack_files import SlackFiles
from tests.fakes.web import WebServer, redirect, response, web_server
from tests.fixtures import pictures

PNG = pictures.encoded(pictures.quarters(), "PNG")
TOKEN = "xoxb-not-a-token"
SIGN_IN = b"<!DOCTYPE html><html><head><title>Slack</title></head><body>Sign in</body></html>"


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with web_server() as server:
        server.answers["/file"] = response(PNG)
        yield server


@pytest.fixture
async def slack(web: WebServer) -> AsyncIterator[SlackFiles]:
    made = SlackFiles(max_bytes=20_000, timeout_s=5, slack_api_url=web.url("/api/"))
    yield made
    await made.close()


async def refusal(slack: SlackFiles, url: str) -> str:
    with pytest.raises(FetchRefused) as caught:
        await slack.download(url, TOKEN)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert TOKEN not in sentence
    return sentence


async def test_fake_slack_gets_the_token(slack: SlackFiles, web: WebServer) -> None:
    assert await slack.download(web.url("/file"), TOKEN) == PNG
    assert web.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_token_is_kept_on_redirects_within_slack(slack: SlackFiles, web: WebServer) -> None:
    web.answers["/1"], web.answers["/2"], web.answers["/3"] = redirect("/2"), redirect("/3"), redirect("/file")
    assert await slack.download(web.url("/1"), TOKEN) == PNG
    assert {request.headers.get("authorization") for request in web.requests} == {f"Bearer {TOKEN}"}
    web.answers["/0"] = redirect("/1")
    assert "too many times" in await refusal(slack, web.url("/0"))


async def test_other_hosts_get_no_request(slack: SlackFiles, web: WebServer) -> None:
    async with web_server() as other:
        assert "outside Slack" in await refusal(slack, other.url("/file"))
        web.answers["/away"] = redirect(other.url("/file"))
        assert "outside Slack" in await refusal(slack, web.url("/away"))
        assert other.connections == 0


@pytest.mark.parametrize(
    ("url", "sends"),
    [
        ("https://files.slack.com/files-pri/T-F/a.png", True),
        ("https://slack.com/a", True),
        ("https://FILES.slack.com:443/a", True),
        ("https://files-origin.slack.com/a", True),
        ("https://a.slack-edge.com/a", False),
        ("http://files.slack.com/a", None),
        ("https://files.slack.com:8443/a", None),
        ("https://files.slack.com.evil.test/a", None),
        ("https://evilslack.com/a", None),
        ("https://evil.test/files.slack.com", None),
        ("https://files.slack.com@evil.test/a", None),
        ("https://evil.test@files.slack.com/a", None),
        ("http://a.slack-edge.com/a", None),
        ("https://a.slack-edge.com.evil.test/a", None),
        ("https://files.slack.com./a", None),
        ("file:///etc/passwd", None),
        ("", None),
    ],
)
async def test_token_goes_only_to_slack(url: str, sends: bool | None) -> None:
    slack = SlackFiles(max_bytes=10, timeout_s=5, slack_api_url="https://slack.com/api/")
    if sends is None:
        with pytest.raises(FetchRefused):
            slack._headers(httpx.URL(url), TOKEN)
    else:
        assert bool(slack._headers(httpx.URL(url), TOKEN)) is sends
    await slack.close()


async def test_redirect_to_the_content_network_has_no_token(
    slack: SlackFiles, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack redirects from files to origin to edge. A mock transport plays these hosts."""
    seen: list[tuple[str, bool]] = []
    hops = {
        "files.slack.com": "https://files-origin.slack.com/x",
        "files-origin.slack.com": "https://a.slack-edge.com/x",
    }

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, "authorization" in request.headers))
        if request.url.host in hops:
            return httpx.Response(302, headers={"Location": hops[request.url.host]})
        return httpx.Response(200, stream=httpx.ByteStream(PNG))

    monkeypatch.setattr(slack._client, "_transport", httpx.MockTransport(answer))
    assert await slack.download("https://files.slack.com/x", TOKEN) == PNG
    assert seen == [("files.slack.com", True), ("files-origin.slack.com", True), ("a.slack-edge.com", False)]


async def test_sign_in_page_with_status_200_is_refused(slack: SlackFiles, web: WebServer) -> None:
    web.answers["/file"] = response(SIGN_IN, "Content-Type: text/html; charset=utf-8")
    assert "files:read" in await refusal(slack, web.url("/file"))


@pytest.mark.parametrize(
    ("status", "words"),
    [("403 Forbidden", "files:read"), ("404 Not Found", "no longer has"), ("503 Unavailable", "busy or unavailable")],
)
async def test_http_errors_are_refused(slack: SlackFiles, web: WebServer, status: str, words: str) -> None:
    web.answers["/file"] = response(b"no", status=status)
    assert words in await refusal(slack, web.url("/file"))


async def test_size_and_time_are_limited(web: WebServer) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", length=100))
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    web.answers["/drip"] = drip
    web.answers["/large"] = response(bytes(300), "Transfer-Encoding: identity", length=-1)
    slack = SlackFiles(max_bytes=200, timeout_s=0.2, slack_api_url=web.url("/api/"))
    assert "longer than 0.2 seconds" in await refusal(slack, web.url("/drip"))
    web.answers["/large"] = response(bytes(300), length=-1)
    assert "0.0002 MB" in await refusal(slack, web.url("/large"))
    await slack.close()


async def test_large_files_are_saved_up_to_a_limit_of_their_own(
    slack: SlackFiles, web: WebServer, tmp_path: Path
) -> None:
    web.answers["/zip"] = response(bytes(50_000))
    await slack.save(web.url("/zip"), TOKEN, tmp_path / "a.zip", 50_000)
    assert (tmp_path / "a.zip").read_bytes() == bytes(50_000)
    with pytest.raises(FetchRefused):
        await slack.save(web.url("/zip"), TOKEN, tmp_path / "b.zip", 49_999)
    web.answers["/zip"] = response(bytes(50_000), length=-1)
    with pytest.raises(FetchRefused):
        await slack.save(web.url("/zip"), TOKEN, tmp_path / "b.zip", 49_999)


async def test_invalid_token_is_not_in_the_error(slack: SlackFiles, web: WebServer) -> None:
    with pytest.raises(FetchRefused) as caught:
        await slack.download(web.url("/file"), "xoxb-secret\r\nX: y")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_no_cookies_are_kept(slack: SlackFiles, web: WebServer) -> None:
    web.answers["/file"] = response(PNG, "Set-Cookie: d=secret; Path=/")
    for _ in range(2):
        await slack.download(web.url("/file"), TOKEN)
    assert all("cookie" not in request.headers for request in web.requests)
