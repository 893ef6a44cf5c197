"""What every download shares: a cap on bytes, a deadline, and failures said in one sentence."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus

import httpx

from bot.domain.errors import FetchFailed, FetchRefused, FetchTooLarge
from bot.images.decode import formats

HEADERS = {
    # Some hosts turn away clients that give no name.
    "User-Agent": "vsearch/0.1 (Slack visual search bot)",
    "Accept": "image/*,*/*;q=0.5",
    # Pictures are compressed already, and what was never compressed can't expand without end.
    "Accept-Encoding": "identity",
}

_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_CLOSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Server:
    """How sentences name the other end, and what they advise when it won't do."""

    name: str
    advice: str


@asynccontextmanager
async def translate_errors(server: Server, timeout_s: float) -> AsyncIterator[None]:
    """Hold a deadline, and turn whatever the network raises into FetchRefused."""
    name, advice = server.name, server.advice
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise FetchFailed(f"{name} took longer than {timeout_s:g} seconds: try again later, or {advice}.") from error
    except httpx.ConnectError as error:
        if any(isinstance(cause, ssl.SSLError) for cause in causes(error)):
            raise FetchRefused(f"{name} offers no secure connection that can be trusted: {advice}.") from error
        raise FetchFailed(f"{name} didn't answer: try again later, or {advice}.") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
        # Its text may repeat a header, and with it a token.
        raise FetchRefused(f"{name} was asked for an address that can't be used: {advice}.") from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise FetchFailed(f"{name} broke the connection off: try again, or {advice}.") from error


@cache
def tls_context() -> ssl.SSLContext:
    """Whom to trust: the usual authorities, or what ``SSL_CERT_FILE`` names. Reading them takes some 20 ms."""
    return httpx.create_ssl_context(trust_env=True)


async def read_response(response: httpx.Response, server: Server, max_bytes: int) -> bytes:
    """The content of a good answer, never more than the cap in memory. Raises FetchRefused."""
    if response.status_code != HTTPStatus.OK:
        raise _status(response.status_code, server)
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise FetchRefused(f"{server.name} sends only compressed files: {server.advice}.")
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise FetchTooLarge(formats.too_many_bytes(max_bytes))
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > max_bytes:
            raise FetchTooLarge(formats.too_many_bytes(max_bytes))
    return bytes(received)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, and so on down."""
    step: BaseException | None = error
    while step is not None:
        yield step
        step = step.__cause__ or step.__context__


def _status(code: int, server: Server) -> FetchRefused:
    name, advice = server.name, server.advice
    if code in _GONE:
        return FetchRefused(f"{name} has no picture at that address ({code}): check the address, or {advice}.")
    if code in _CLOSED:
        return FetchRefused(f"{name} shows that picture only to people it knows ({code}): {advice}.")
    if code in _BUSY or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FetchFailed(f"{name} is busy or broken ({code}): try again later, or {advice}.")
    return FetchRefused(f"{name} didn't give the picture ({code}): {advice}.")
