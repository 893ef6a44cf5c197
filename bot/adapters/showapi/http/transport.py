"""The HTTP transport. It adds the app key to requests at the last moment and limits the size of responses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from bot.adapters.showapi.http.resilience import RetryPolicy
from bot.adapters.showapi.http.responses import UnexpectedResponse
from bot.images.fetch import downloads
from bot.images.fetch.proxies import ProxiedTransport
from bot.telemetry.redaction import Redactor

MAX_RESPONSE_BYTES = 8_000_000
"""Largest accepted response. The longest listing has a tenth of that."""

HEADERS = {
    "User-Agent": "vsearch/0.1 (Slack visual search bot)",
    "Accept": "application/json",
    # Refuse compression, so that no response can expand to any size.
    "Accept-Encoding": "identity",
}

_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")


class KeyedTransport(httpx.AsyncBaseTransport):
    """Sends a copy of each request with the app key in its URL.

    The original request, which httpx logs, attaches to exceptions and passes to hooks, has no key.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, app_key: str) -> None:
        self._inner = inner
        self._app_key = app_key

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the keyed copy and return the response."""
        keyed = httpx.Request(
            request.method,
            request.url.copy_merge_params({"appKey": self._app_key}),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._inner.handle_async_request(keyed)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class HttpTransport:
    """One shared HTTP client. It raises the exceptions of httpx, which have no key unless the service echoed it."""

    def __init__(
        self, base_url: str, app_key: str, policy: RetryPolicy, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._hide_key = _KeyRedactor(app_key)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._hide_key)
        inner = transport or ProxiedTransport(downloads.tls_context())
        self._client = httpx.AsyncClient(
            transport=KeyedTransport(inner, app_key),
            base_url=base_url,
            headers=HEADERS,
            timeout=httpx.Timeout(policy.read_s, connect=policy.connect_s),
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        )

    async def post(self, path: str, form: Mapping[str, str], within_s: float) -> tuple[int, bytes]:
        """Return status and content of the response to a form.

        Raises UnexpectedResponse and the exceptions in ``error_mapping.NETWORK_ERRORS``.
        """
        async with asyncio.timeout(within_s), self._client.stream("POST", path, data=dict(form)) as response:
            return response.status_code, await _content(response)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._hide_key)


class _KeyRedactor(logging.Filter):
    """Redacts the app key. Servers may echo it in a redirect's URL or a broken header, which httpcore logs in debug."""

    def __init__(self, app_key: str) -> None:
        super().__init__()
        self._redact = Redactor([app_key])

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record and let it pass."""
        record.msg, record.args = self._redact(record.getMessage()), None
        return True


async def _content(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise UnexpectedResponse("the response is compressed, although the request refused compression")
    received = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            received += chunk
            if len(received) > MAX_RESPONSE_BYTES:
                raise UnexpectedResponse(f"the response has more than {MAX_RESPONSE_BYTES:,} bytes")
    except (httpx.NetworkError, httpx.ProtocolError) as error:
        raise UnexpectedResponse(f"the response was cut off ({type(error).__name__})") from error
    return bytes(received)
