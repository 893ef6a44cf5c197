"""Private addresses never get a connection, in any spelling and through any redirect."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.errors import FetchRefused
from bot.images.fetch import fetcher as fetch
from bot.images.fetch.fetcher import Fetcher
from tests.fakes.web import WebServer, redirect, response, web_server

Row = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


def row(address: str, port: int) -> Row:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


def numbers_only(host: str, port: int, *_: object) -> list[Row]:
    """Resolve numeric addresses only, in every spelling that the platform accepts, without DNS."""
    rows = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    return [row(str(answer[4][0]), port) for answer in rows]


def resolver_of(known: dict[str, list[str]]) -> Callable[..., list[Row]]:
    def resolver(host: str, port: int, *_: object) -> list[Row]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [row(address, port) for address in known[host]]

    return resolver


@pytest.fixture
async def web(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebServer]:
    """A server on a private address. Its port counts as a default port, so only the address decides."""
    async with web_server() as server:
        ports = frozenset({80, 443, server.port})
        monkeypatch.setattr(fetch, "_GUARD", replace(fetch._GUARD, allowed_ports=ports))
        server.answers["/"] = response(b"inside")
        yield server


@pytest.fixture
async def guarded(web: WebServer) -> AsyncIterator[Fetcher]:
    made = Fetcher(max_bytes=1000, timeout_s=5, resolver=numbers_only)
    yield made
    await made.close()


async def assert_refused(fetcher: Fetcher, url: str) -> None:
    """Assert the generic refusal. pytest-socket would raise on any other connection."""
    with pytest.raises(FetchRefused) as caught:
        await fetcher.fetch(url)
    assert str(caught.value) == fetch._CANNOT_OPEN, url


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0x0.0.1",
        "127.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "１２７.０.０.１",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "example.com@127.0.0.1",
        "127.0.0.1%00.example.com",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1%25lo]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[fec0::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
    ],
)
async def test_private_addresses_get_no_connection(guarded: Fetcher, web: WebServer, host: str) -> None:
    await assert_refused(guarded, f"http://{host}:{web.port}/")
    await assert_refused(guarded, f"https://{host}/")
    assert web.connections == 0


PRIVATE = [
    IPv4Network(net) for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
]


FORMS: list[Callable[[int], str]] = [
    str,
    hex,
    lambda number: hex(number).upper(),
    lambda number: f"0{number:o}",
    lambda number: f"0x{number:012x}",
]


@st.composite
def spellings(draw: st.DrawFn) -> str:
    network = draw(st.sampled_from(PRIVATE))
    value = int(network.network_address) + draw(st.integers(0, network.num_addresses - 1))
    if draw(st.booleans()):
        wrapped = draw(
            st.sampled_from(
                [
                    value,
                    0xFFFF << 32 | value,
                    0xFFFF << 48 | value,
                    0x64FF9B << 96 | value,
                    0x2002 << 112 | value << 80,
                    0x20010000 << 96 | value << 64 | 0x08080808,
                    0x20010000 << 96 | 0x08080808 << 64 | (~value & 0xFFFFFFFF),
                ]
            )
        )
        address = IPv6Address(wrapped)
        return f"[{draw(st.sampled_from([str(address), address.exploded]))}]"
    parts = draw(st.integers(1, 4))
    octets = list(IPv4Address(value).packed)
    numbers = [*octets[: parts - 1], int.from_bytes(bytes(octets[parts - 1 :]))]
    text = ".".join(draw(st.sampled_from(FORMS))(number) for number in numbers)
    if draw(st.booleans()):
        text = text.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    return draw(st.sampled_from(["", "", "user@", "example.com:80@"])) + text + draw(st.sampled_from(["", "", "."]))


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(host=spellings())
async def test_no_spelling_of_a_private_address_gets_through(guarded: Fetcher, web: WebServer, host: str) -> None:
    await assert_refused(guarded, f"http://{host}:{web.port}/")
    assert web.connections == 0


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["2606:2800:220:1::1", "169.254.169.254"],
        [],
    ],
)
async def test_hosts_with_private_addresses_are_refused(web: WebServer, answers: list[str]) -> None:
    """One private address refuses the host. A missing host gives the same message."""
    known = {"rebind.test": answers} if answers else {}
    fetcher = Fetcher(max_bytes=1000, timeout_s=5, resolver=resolver_of(known))
    await assert_refused(fetcher, web.url(host="rebind.test"))
    assert web.connections == 0
    await fetcher.close()


async def test_dns_rebinding_is_refused(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host resolves to a public address first and to a private one later. There is only one lookup."""
    lookups = 0
    asked: list[str] = []

    def rebinding(_host: str, port: int, *_: object) -> list[Row]:
        nonlocal lookups
        lookups += 1
        return [row("93.184.216.34" if lookups == 1 else "127.0.0.1", port)]

    async def unreachable(remote_host: object, **_: object) -> None:
        asked.append(str(remote_host))
        raise OSError("no route")

    monkeypatch.setattr("anyio.connect_tcp", unreachable)
    fetcher = Fetcher(max_bytes=1000, timeout_s=5, resolver=rebinding)
    with pytest.raises(FetchRefused, match="didn't answer"):
        await fetcher.fetch(web.url(host="rebind.test"))
    assert (asked, lookups, web.connections) == (["93.184.216.34"], 1, 0)
    await assert_refused(fetcher, web.url(host="rebind.test"))
    assert asked == ["93.184.216.34"]
    await fetcher.close()


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://inner.test:{port}/",
        "//2130706433:{port}/",
    ],
)
async def test_redirect_from_a_trusted_host_to_a_private_address_is_refused(web: WebServer, target: str) -> None:
    async with web_server() as outer:
        outer.answers["/"] = redirect(target.format(port=web.port))
        resolver = resolver_of({"inner.test": ["127.0.0.1"]})
        fetcher = Fetcher(max_bytes=1000, timeout_s=5, trusted_hosts=[f"127.0.0.1:{outer.port}"], resolver=resolver)
        await assert_refused(fetcher, outer.url())
        assert (outer.connections, web.connections) == (1, 0)
        await fetcher.close()


async def test_a_redirect_with_credentials_is_refused(web: WebServer) -> None:
    web.answers["/"] = redirect(f"http://user:password@127.0.0.1:{web.port}/next")
    fetcher = Fetcher(max_bytes=1000, timeout_s=5, trusted_hosts=["127.0.0.1"])
    await assert_refused(fetcher, web.url())
    assert [request.path for request in web.requests] == ["/"]
    await fetcher.close()


async def test_open_and_closed_ports_give_the_same_error(
    guarded: Fetcher, web: WebServer, unused_tcp_port: int
) -> None:
    for port in (web.port, unused_tcp_port, 22, 0, 65535):
        await assert_refused(guarded, f"http://127.0.0.1:{port}/")
    await assert_refused(guarded, "http://93.184.216.34:22/")
    assert web.connections == 0


async def test_only_default_ports_of_public_hosts_are_allowed() -> None:
    assert fetch._GUARD.allowed_ports == {80, 443}
