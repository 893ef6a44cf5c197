"""Downloads from URLs that users type. See docs/decisions/0004-fetching-user-urls.md."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_network
from urllib.parse import urlsplit

import httpx
from ssrfguard import DEFAULT_DENIED, AddressTable, Block, Policy, Reach, Resolver, SSRFGuardError
from ssrfguard.httpx import AsyncClient

from bot.domain.errors import FetchedWebPage, FetchRefused, SettingsError
from bot.images.decode import formats
from bot.images.fetch import downloads

MAX_REDIRECTS = 5

_MAX_CONCURRENT = 16
_NAME = "The picture's server"

_CANNOT_OPEN = (
    "That link can't be opened. Use a public http or https link with a host that exists and with the default port."
)
"""The same message for missing hosts, forbidden addresses and closed ports, so that it doesn't reveal which it was."""

_GUARD = Policy(
    denied_networks=AddressTable(
        (
            *DEFAULT_DENIED.blocks,
            # The library permits unknown IPv6 ranges. Only 2000::/3 is allocated for the internet. The other ranges
            # include more ways to embed an IPv4 address, such as ::ffff:0:127.0.0.1 of RFC 2765.
            Block(ip_network("::/0"), "Outside global unicast", "RFC4291", Reach.DENIED),
            Block(ip_network("2000::/3"), "Global unicast", "RFC3587", Reach.PERMITTED),
        )
    )
)


class Fetcher:
    """Downloads over http and https, from public addresses on ports 80 and 443 and from trusted hosts.

    Each host name is resolved once, all its addresses are checked, and the connection goes to a checked address. The
    same applies to each redirect. Trusted hosts (``host`` for any port, or ``host:port``) may be private or loopback.
    The environment's proxies are ignored, because they would resolve names themselves. ``resolver`` replaces
    ``socket.getaddrinfo``. ``advice`` says what users may do instead, as the end of a sentence.
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
        """Return the content at a URL. Raises FetchRefused with a message for the user."""
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
                raise FetchRefused(_CANNOT_OPEN) from error
            except httpx.ConnectError as error:
                if any(isinstance(cause, socket.gaierror) for cause in downloads.causes(error)):
                    raise FetchRefused(_CANNOT_OPEN) from error
                raise
        raise FetchRefused(f"{_NAME} redirected more than {MAX_REDIRECTS} times. Use the picture's own link.")

    def _trusts(self, url: httpx.URL) -> bool:
        port = url.port or (443 if url.scheme == "https" else 80)
        return bool(self._trusted & {(url.host, None), (url.host, port)})


def _parsed(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, UnicodeError):
        raise FetchRefused(_CANNOT_OPEN) from None
    return url


def _checked(url: httpx.URL) -> httpx.URL:
    if url.scheme not in {"http", "https"}:
        raise FetchRefused("A picture link must begin with https:// or http://.")
    if url.userinfo or not url.host:
        raise FetchRefused(_CANNOT_OPEN)
    return url


def _picture(content: bytes) -> bytes:
    if formats.is_web_page(content):
        raise FetchedWebPage("That link leads to a web page, not a picture. Use the link of the picture itself.")
    return content


def _trusted_host(entry: str) -> tuple[str, int | None]:
    """Parse ``host``, ``host:port`` or ``[IPv6]:port`` into host and port. Raises SettingsError."""
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
    """Return a cookie jar that accepts no cookies, so that requests of different users share none."""
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
