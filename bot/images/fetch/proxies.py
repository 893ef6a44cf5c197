"""The proxy of the environment, for requests to Slack and to the hosted service.

User URLs don't use it: a proxy resolves names itself, past the check of their addresses (docs/decisions/0004).
"""

from __future__ import annotations

import ssl
import urllib.request
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy for a URL, from the usual environment variables; None without one.

    It is None for loopback and for what ``NO_PROXY`` names. Slack's SDK takes ``HTTPS_PROXY`` or else ``HTTP_PROXY``,
    but ignores ``NO_PROXY``. Set the result on its clients.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if not host or _is_loopback(parts.hostname or "") or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get("https") or proxies.get("http") or None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class ProxiedTransport(httpx.AsyncBaseTransport):
    """Sends each request directly, or through the proxy for its URL."""

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._verify = verify
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises the exceptions of httpx."""
        proxy = proxy_for(str(request.url))
        if proxy not in self._transports:
            self._transports[proxy] = httpx.AsyncHTTPTransport(verify=self._verify, trust_env=False, proxy=proxy)
        return await self._transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()
