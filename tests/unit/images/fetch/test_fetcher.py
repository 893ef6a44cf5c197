"""Downloads from URLs that users type: content, limits, timeouts and error messages."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.errors import FetchRefused, SettingsError
from bot.images.fetch import fetcher as fetch
from bot.images.fetch.fetcher import Fetcher
from tests.fakes.web import WebServer, redirect, response, web_server
from tests.fixtures import pictures

PNG = pictures.encoded(pictures.quarters(), "PNG")
MAX_BYTES = 20_000

Row = tuple[int, int, int, str, tuple[str, int]]


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with web_server() as server:
        yield server


@pytest.fixture
async def fetcher(web: WebServer) -> AsyncIterator[Fetcher]:
    """A fetcher that trusts the local web server."""
    made = Fetcher(max_bytes=MAX_BYTES, timeout_s=5, trusted_hosts=[f"127.0.0.1:{web.port}"])
    yield made
    await made.close()


async def refusal(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchRefused) as caught:
        await fetcher.fetch(url)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


async def test_picture_is_returned_unchanged(fetcher: Fetcher, web: WebServer) -> None:
    web.answers["/a.png"] = response(PNG, "Content-Type: text/plain")
    assert await fetcher.fetch(f"  {web.url('/a.png')}\n") == PNG


async def test_requests_carry_no_credentials_or_cookies(
    fetcher: Fetcher, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    web.answers["/1"] = response(PNG, "Set-Cookie: session=secret; Path=/")
    made = Fetcher(max_bytes=MAX_BYTES, timeout_s=5, trusted_hosts=["127.0.0.1"])
    for _ in range(2):
        await made.fetch(web.url("/1"))
    await made.close()
    for request in web.requests:
        assert not {"cookie", "authorization", "referer"} & set(request.headers)
        assert request.headers["accept-encoding"] == "identity"
        assert "vsearch" in request.headers["user-agent"]


async def test_up_to_five_redirects_are_followed(fetcher: Fetcher, web: WebServer) -> None:
    for hop in range(6):
        web.answers[f"/{hop}"] = redirect(f"/{hop + 1}")
    web.answers["/6"] = response(PNG)
    assert await fetcher.fetch(web.url("/1")) == PNG
    assert "more than 5 times" in await refusal(fetcher, web.url("/0"))


# Size and time


async def test_declared_length_beyond_the_limit_is_refused_unread(fetcher: Fetcher, web: WebServer) -> None:
    web.answers["/"] = response(b"", length=MAX_BYTES + 1)
    assert "0.02 MB" in await refusal(fetcher, web.url())
    web.answers["/"] = response(b"", length=10**30)
    await refusal(fetcher, web.url())


@pytest.mark.parametrize("chunked", [True, False])
async def test_endless_body_is_cut_off(fetcher: Fetcher, web: WebServer, chunked: bool) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(response(b"", *(["Transfer-Encoding: chunked"] if chunked else []), length=-1))
        while True:
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n" if chunked else bytes(4096))
            sent += 4096
            await writer.drain()

    web.answers["/"] = endless
    assert "0.02 MB" in await refusal(fetcher, web.url())
    assert sent < 50_000_000  # only what fits the buffers of two sockets was sent


async def test_wrong_content_length_is_refused(fetcher: Fetcher, web: WebServer) -> None:
    web.answers["/short"] = response(PNG, length=len(PNG) + 50)
    assert "closed the connection" in await refusal(fetcher, web.url("/short"))
    web.answers["/long"] = response(PNG, length=10)
    assert await fetcher.fetch(web.url("/long")) == PNG[:10]
    web.answers["/odd"] = response(PNG, "Content-Length: -5", length=-1)
    await refusal(fetcher, web.url("/odd"))


async def test_gzip_bomb_is_not_decompressed(fetcher: Fetcher, web: WebServer) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    assert len(bomb) < MAX_BYTES
    web.answers["/"] = response(bomb, "Content-Encoding: gzip")
    assert "compressed" in await refusal(fetcher, web.url())


@pytest.mark.parametrize("encoding", ["utf-8", "none", "UTF-8, identity", "binary", "aws-chunked", ""])
async def test_encodings_that_are_no_compression_are_ignored(fetcher: Fetcher, web: WebServer, encoding: str) -> None:
    web.answers["/"] = response(PNG, f"Content-Encoding: {encoding}")
    assert await fetcher.fetch(web.url()) == PNG


async def test_slow_response_times_out(web: WebServer) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", length=MAX_BYTES))
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    web.answers["/"] = drip
    fetcher = Fetcher(max_bytes=MAX_BYTES, timeout_s=0.2, trusted_hosts=["127.0.0.1"])
    started = asyncio.get_running_loop().time()
    assert "longer than 0.2 seconds" in await refusal(fetcher, web.url())
    assert asyncio.get_running_loop().time() - started < 2
    await fetcher.close()


async def test_unresponsive_name_server_times_out(web: WebServer) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stuck(*_: object) -> list[Row]:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        raise socket.gaierror

    fetcher = Fetcher(max_bytes=MAX_BYTES, timeout_s=0.1, resolver=stuck)
    assert "longer than 0.1 seconds" in await refusal(fetcher, "http://stuck.test/")
    release.set()
    await fetcher.close()


# Failures, each with a message for the user


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("404 Not Found", "no picture at that link (404)"),
        ("403 Forbidden", "refused access to that picture (403)"),
        ("503 Service Unavailable", "busy or unavailable (503)"),
        ("418 I'm a teapot", "didn't send the picture (418)"),
        ("204 No Content", "didn't send the picture (204)"),
        ("304 Not Modified", "didn't send the picture (304)"),
    ],
)
async def test_http_errors_are_refused(fetcher: Fetcher, web: WebServer, status: str, words: str) -> None:
    web.answers["/"] = response(status=status)
    assert words in await refusal(fetcher, web.url())


async def test_web_page_is_refused(fetcher: Fetcher, web: WebServer) -> None:
    web.answers["/"] = response(b"\n<!doctype HTML><html>Sign in</html>", "Content-Type: image/png")
    assert "web page" in await refusal(fetcher, web.url())


async def test_malformed_responses_are_refused(fetcher: Fetcher, web: WebServer) -> None:
    for path, answer in (("/none", b""), ("/noise", b"\0\1\2 nonsense\r\n\r\n"), ("/where", redirect("http://[::1"))):
        web.answers[path] = answer
        assert "closed the connection" in await refusal(fetcher, web.url(path))


async def test_tls_and_connection_failures_are_refused(unused_tcp_port: int) -> None:
    def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(PNG))
        writer.close()

    fetcher = Fetcher(max_bytes=MAX_BYTES, timeout_s=5, trusted_hosts=["127.0.0.1"])
    async with await asyncio.start_server(plain, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        assert "has no valid certificate" in await refusal(fetcher, f"https://127.0.0.1:{port}/")
    assert "didn't answer" in await refusal(fetcher, f"http://127.0.0.1:{unused_tcp_port}/")
    await fetcher.close()


@pytest.mark.parametrize(
    "url", ["ftp://example.com/a.png", "file:///etc/passwd", "data:image/png;base64,AA", "a.png", ""]
)
async def test_other_schemes_are_refused(fetcher: Fetcher, url: str) -> None:
    assert "begin with https://" in await refusal(fetcher, url)


async def test_redirect_to_another_scheme_is_refused(fetcher: Fetcher, web: WebServer) -> None:
    web.answers["/"] = redirect("file:///etc/passwd")
    await refusal(fetcher, web.url())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(max_size=60) | st.text(max_size=30).map("http://".__add__) | st.text(max_size=30).map("https://[".__add__)
)
async def test_any_text_is_refused_with_a_message(no_names: Fetcher, text: str) -> None:
    await refusal(no_names, text)


@pytest.fixture
async def no_names() -> AsyncIterator[Fetcher]:
    def nothing(*_: object) -> list[Row]:
        raise socket.gaierror(-2, "Name or service not known")

    made = Fetcher(max_bytes=MAX_BYTES, timeout_s=5, resolver=nothing)
    yield made
    await made.close()


# Trusted hosts


async def test_trusted_hosts_match_exactly(web: WebServer, unused_tcp_port: int) -> None:
    web.answers["/"] = response(PNG)
    for trusted, host, allowed in (
        ("127.0.0.1", "127.0.0.1", True),
        (f"127.0.0.1:{web.port}", "127.0.0.1", True),
        (f"127.0.0.1:{unused_tcp_port}", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1.", False),
        ("127.0.0.1", "127.1", False),
        ("example.com", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ):
        fetcher = Fetcher(max_bytes=MAX_BYTES, timeout_s=5, trusted_hosts=[trusted] if trusted else [])
        if allowed:
            assert await fetcher.fetch(web.url(host=host)) == PNG
        else:
            before = web.connections
            assert await refusal(fetcher, web.url(host=host)) == fetch._CANNOT_OPEN
            assert web.connections == before
        await fetcher.close()


async def test_trusted_port_defaults_to_the_scheme() -> None:
    fetcher = Fetcher(
        max_bytes=MAX_BYTES, timeout_s=5, trusted_hosts=["a.test:80", "B.test:443", "[::1]:8080", "bücher.test"]
    )
    trusts = {
        url: fetcher._trusts(fetch._parsed(url))
        for url in (
            "http://a.test/",
            "http://A.test:80/",
            "https://a.test/",
            "https://b.test/",
            "http://b.test/",
            "http://[::1]:8080/",
            "http://[::1]/",
            "http://xn--bcher-kva.test:9/",
        )
    }
    assert list(trusts.values()) == [True, True, False, True, False, True, False, True]
    await fetcher.close()


@pytest.mark.parametrize("entry", ["http://a.test", "a.test/path", "user@a.test", "a.test:port", ":80", "a.test:99999"])
def test_invalid_trusted_host_is_refused(entry: str) -> None:
    with pytest.raises(SettingsError, match="VSEARCH_TRUSTED_HOSTS"):
        Fetcher(max_bytes=MAX_BYTES, timeout_s=5, trusted_hosts=[entry])


async def test_public_address_is_fetched_through_the_guard(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guarded client resolves the host once and connects to the address that was checked."""
    lookups: list[str] = []

    def resolver(host: str, port: int, *_: object) -> list[Row]:
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(
        fetch,
        "_GUARD",
        replace(fetch._GUARD, allowed_networks=(IPv4Network("127.0.0.1/32"),), allowed_ports=frozenset({web.port})),
    )
    web.answers["/"] = response(PNG)
    fetcher = Fetcher(max_bytes=MAX_BYTES, timeout_s=5, resolver=resolver)
    assert await fetcher.fetch(web.url(host="pictures.test")) == PNG
    assert lookups == ["pictures.test"]
    assert web.requests[0].headers["host"] == f"pictures.test:{web.port}"
    await fetcher.close()
