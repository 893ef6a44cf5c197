"""Shared parts of all downloads: a limit on bytes, a timeout, and errors with a message for the user."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

import httpx

from bot.domain.errors import FetchFailed, FetchRefused, FetchTooLarge
from bot.images.decode import formats
from bot.images.memory import expect_bytes

HEADERS = {
    # Some hosts refuse clients without a User-Agent.
    "User-Agent": "vsearch/0.1 (Slack visual search bot)",
    "Accept": "image/*,*/*;q=0.5",
    # Pictures are compressed already. Refusing compression means that no response can expand to any size.
    "Accept-Encoding": "identity",
}

_COMPRESSIONS = frozenset(
    {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz", "exi", "pack200-gzip"}
)
"""Codings of the IANA registry that change the content."""

_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
_MISSING = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Server:
    """How error messages name the server, and what they advise, such as “upload the picture again”."""

    name: str
    advice: str

    @property
    def instruction(self) -> str:
        """The advice as a sentence."""
        return f"{self.advice[:1].upper()}{self.advice[1:]}."


@asynccontextmanager
async def translate_errors(server: Server, timeout_s: float) -> AsyncIterator[None]:
    """Apply a timeout and turn network errors into FetchRefused or FetchFailed."""
    name, advice = server.name, server.advice
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise FetchFailed(f"{name} took longer than {timeout_s:g} seconds. Try again later, or {advice}.") from error
    except httpx.ConnectError as error:
        if any(isinstance(cause, ssl.SSLError) for cause in causes(error)):
            raise FetchRefused(f"{name} has no valid certificate. {server.instruction}") from error
        raise FetchFailed(f"{name} didn't answer. Try again later, or {advice}.") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
        # The exception's text may contain a header with a token.
        raise FetchRefused(f"That link can't be used. {server.instruction}") from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise FetchFailed(f"{name} closed the connection. Try again, or {advice}.") from error


@cache
def tls_context() -> ssl.SSLContext:
    """Return a context that trusts the usual authorities, or those in ``SSL_CERT_FILE``. Loading takes some 20 ms."""
    return httpx.create_ssl_context(trust_env=True)


async def read_response(response: httpx.Response, server: Server, max_bytes: int) -> bytes:
    """Return the content of a response with status 200, reading little more than ``max_bytes``.

    Raises FetchRefused, FetchTooLarge and FetchFailed.
    """
    declared = _declared_bytes(response, server, max_bytes)
    if declared is not None:
        expect_bytes(declared)  # the HTTP client accepts no more
    # BytesIO hands out its own bytes at the end; a bytearray would be copied.
    received = io.BytesIO()
    async for chunk in response.aiter_raw():
        received.write(chunk)
        if received.tell() > max_bytes:
            raise FetchTooLarge(formats.too_many_bytes(max_bytes))
    expect_bytes(received.tell())
    return received.getvalue()


def _is_compressed(encodings: str) -> bool:
    """Return whether a Content-Encoding names a compression. Servers send “utf-8” or “none” for plain bytes too."""
    return any(encoding.strip().lower() in _COMPRESSIONS for encoding in encodings.split(","))


async def save_response(response: httpx.Response, server: Server, path: Path, max_bytes: int) -> None:
    """Write the content of a response with status 200 to a file. Raises the same errors as ``read_response``."""
    _declared_bytes(response, server, max_bytes)
    received = 0
    with await asyncio.to_thread(path.open, "wb") as stream:
        async for chunk in response.aiter_raw():
            received += len(chunk)
            if received > max_bytes:
                raise FetchTooLarge(formats.too_many_bytes(max_bytes))
            await asyncio.to_thread(stream.write, chunk)


def _declared_bytes(response: httpx.Response, server: Server, max_bytes: int) -> int | None:
    if response.status_code != HTTPStatus.OK:
        raise _status_error(response.status_code, server)
    if _is_compressed(response.headers.get("content-encoding", "")):
        raise FetchRefused(f"{server.name} sent a compressed response, which isn't supported. {server.instruction}")
    declared = response.headers.get("content-length", "")
    if not declared.isdecimal():
        return None
    if int(declared[:20]) > max_bytes:
        raise FetchTooLarge(formats.too_many_bytes(max_bytes))
    return int(declared[:20])


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and the chain of its causes."""
    step: BaseException | None = error
    while step is not None:
        yield step
        step = step.__cause__ or step.__context__


def _status_error(code: int, server: Server) -> FetchRefused:
    name, advice = server.name, server.advice
    if code in _MISSING:
        return FetchRefused(f"{name} has no picture at that link ({code}). Check the link, or {advice}.")
    if code in _DENIED:
        return FetchRefused(f"{name} refused access to that picture ({code}). {server.instruction}")
    if code in _BUSY or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FetchFailed(f"{name} is busy or unavailable ({code}). Try again later, or {advice}.")
    return FetchRefused(f"{name} didn't send the picture ({code}). {server.instruction}")
