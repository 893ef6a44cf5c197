"""Reads request bodies with a limit of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

LARGE_BYTES = 65_536
MAX_LARGE = 16
"""Bodies of over LARGE_BYTES that are read at the same time. Anybody can send such bodies, and each takes memory."""


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes | None:
    """Return the whole body, or None if it exceeds ``max_bytes``. Raises TimeoutError and ClientDisconnect."""
    return await BodyReader(max_bytes, timeout_s).read(request)


class BodyReader:
    """Reads the bodies of one route, of which only a few large ones are in memory at the same time."""

    def __init__(self, max_bytes: int, timeout_s: float) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._large = asyncio.Semaphore(MAX_LARGE)

    async def read(self, request: Request) -> bytes | None:
        """Return the whole body, or None if it is too long. Raises TimeoutError and ClientDisconnect.

        A large body waits for its turn, within the same time.
        """
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > self._max_bytes:
            return None
        async with asyncio.timeout(self._timeout_s):
            return await self._read(request)

    async def _read(self, request: Request) -> bytes | None:
        body, is_large = bytearray(), False
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._max_bytes:
                    return None
                if not is_large and len(body) > LARGE_BYTES:
                    is_large = await self._large.acquire()
        finally:
            if is_large:
                self._large.release()
        return bytes(body)
