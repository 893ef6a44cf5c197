"""Pictures from addresses that people type. See docs/decisions/0004-fetching-user-urls.md."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_network
from urllib.parse import urlsplit

import httpx
from ssrfguard import DEFAULT_DENIED, AddressTable, Block, Policy, Reach, Resolver, SSRFGuardError
from ssrfguard.httpx import AsyncClient

from bot.domain.errors import FetchRefused, SettingsError
from bot.images.decode import formats
from bot.images.fetch import downloads

MAX_REDIRECTS = 5

_MAX_CONCURRENT = 16
_NAME = "The picture's server"

_NOT_OPENED = (
    "That address can't be opened: it doesn't exist, or isn't a public http or https address on the usual port."
)
"""One sentence for all: a name that isn't there, one that may not be asked, and whatever listens behind it."""

_GUARD = Policy(
    denied_networks=AddressTable(
        (
            *DEFAULT_DENIED.blocks,
            # The library permits IPv6 that it doesn't know. Only 2000::/3 is given out to the internet; the rest
            # has room for more ways to wrap an IPv4 address, such as ::ffff:0:127.0.0.1 of RFC 2765.
            Block(ip_network("::/0"), "Outside global unicast", "RFC4291", Reach.DENIED),
            Block(ip_network("2000::/3"), "Global unicast", "RFC3587", Reach.PERMITTED),
        )
    )
)


class Fetcher:
    """Downloads over http and https, from public addresses on ports 80 and 443 and from trusted hosts.

    Each name is resolved once, every answer checked, and the connection made to an address that was checked; a
    redirect starts over. Trusted hosts (``host``: any port, ``host:port``: that port) may be private or loopback.
    The environment's proxies are not used: they would resolve names themselves. ``resolver`` stands in for
    ``socket.getaddrinfo``. ``advice``: what else people may do, as the end of a sentence.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float,
        trusted_hosts: Iterable[str] = (),
        resolver: Resolver | None = None,
        advice: str = "upload the picture to Slack",
    ) -> None:
        self._server = downloads.Server(_NAME, advice)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._trusted = frozenset(_trusted_host(entry) for entry in trusted_hosts)
        limits = httpx.Limits(max_connections=_MAX_CONCURRENT, max_keepalive_connections=0)
        self._guarded = AsyncClient(
            policy=_GUARD,
            resolver=resolver,
            trust_env=False,
            verify=downloads.tls_context(),
            limits=limits,
            timeout=timeout_s,
            headers=downloads.HEADERS,
            cookies=_no_cookies(),
        )
        self._plain = httpx.AsyncClient(
            trust_env=False,
            verify=downloads.tls_context(),
            limits=limits,
            timeout=timeout_s,
            headers=downloads.HEADERS,
            cookies=_no_cookies(),
        )

    async def fetch(self, url: str) -> bytes:
        """The bytes behind an address. Raises FetchRefused with one sentence."""
        async with downloads.translate_errors(self._server, self._timeout_s):
            return await self._follow(_checked(_parsed(url)))

    async def close(self) -> None:
        """Close the connections."""
        await self._guarded.aclose()
        await self._plain.aclose()

    async def _follow(self, url: httpx.URL) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            client = self._plain if self._trusts(url) else self._guarded
            try:
                async with client.stream("GET", url) as response:
                    following = response.next_request
                    if following is None:
                        return _picture(await downloads.read_response(response, self._server, self._max_bytes))
                    url = _checked(following.url)
            except SSRFGuardError as error:
                raise FetchRefused(_NOT_OPENED) from error
            except httpx.ConnectError as error:
                if any(isinstance(cause, socket.gaierror) for cause in downloads.causes(error)):
                    raise FetchRefused(_NOT_OPENED) from error
                raise
        raise FetchRefused(f"{_NAME} sent us on more than {MAX_REDIRECTS} times: use the picture's own address.")

    def _trusts(self, url: httpx.URL) -> bool:
        port = url.port or (443 if url.scheme == "https" else 80)
        return bool(self._trusted & {(url.host, None), (url.host, port)})


def _parsed(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, UnicodeError):
        raise FetchRefused(_NOT_OPENED) from None
    return url


def _checked(url: httpx.URL) -> httpx.URL:
    if url.scheme not in {"http", "https"}:
        raise FetchRefused("A picture's address begins with https:// or http://: check it and try again.")
    if url.userinfo or not url.host:
        raise FetchRefused(_NOT_OPENED)
    return url


def _picture(content: bytes) -> bytes:
    if formats.is_web_page(content):
        raise FetchRefused("That address shows a web page, not a picture: use the address of the picture itself.")
    return content


def _trusted_host(entry: str) -> tuple[str, int | None]:
    """``host``, ``host:port`` or ``[IPv6]:port`` as host and port. Raises SettingsError."""
    problem = f"VSEARCH_TRUSTED_HOSTS has “{entry}”, which is neither host nor host:port."
    try:
        parts = urlsplit(f"//{entry.strip()}")
        host, port = httpx.URL(scheme="http", host=parts.hostname or "").host, parts.port
    except (ValueError, httpx.InvalidURL):
        raise SettingsError((problem,)) from None
    if not host or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise SettingsError((problem,))
    return host, port


def _no_cookies() -> CookieJar:
    """A jar that takes none, so that what one person's picture sets never goes with another's request."""
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
