"""Lets httpx send requests with aiohttp, which takes a fifth of the processor time of httpx's own transport."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx
from yarl import URL

from bot.images.fetch.proxies import proxy_for

KEEP_ALIVE_S = 5.0
"""How long an idle connection is kept, as httpx does."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests without bodies, directly or through the proxy for their URL.

    Cookies and redirects are left to the client.

    Args:
        verify: Checks certificates.
        timeout_s: Longest time for a connection, and between two parts of an answer.
    """

    def __init__(self, verify: ssl.SSLContext, timeout_s: float) -> None:
        self._verify = verify
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, whose body is still to be read. Raises the errors of httpx."""
        if self._session is None:
            # A session belongs to the event loop that runs when it is made.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._verify, keepalive_timeout=KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=self._timeout,
            )
        headers = [(name, value) for name, value in request.headers.multi_items() if name != "host"]
        with _translated():
            # httpx has encoded the URL already; encoding it again could change what a signed one means.
            url = str(request.url)
            answer = await self._session.request(
                request.method,
                URL(url, encoded=True),
                headers=headers,
                allow_redirects=False,
                proxy=proxy_for(url),
            )
        return httpx.Response(answer.status, headers=list(answer.raw_headers), stream=_Body(answer))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for part in self._answer.content.iter_any():
                yield part

    async def aclose(self) -> None:
        # A connection whose answer was read to its end is back in the pool already.
        self._answer.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of aiohttp into those of httpx."""
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout("no answer in time") from error
    except aiohttp.InvalidURL:
        raise httpx.UnsupportedProtocol("the URL can't be used") from None
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError("no connection") from error
    except aiohttp.ClientError as error:
        raise httpx.RemoteProtocolError("no complete answer") from error
    except ValueError:
        # The message may contain a header with a token.
        raise httpx.LocalProtocolError("a header can't be sent") from None
