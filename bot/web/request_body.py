"""Reads request bodies with a limit of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import Request


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes | None:
    """Return the whole body, or None if it exceeds ``max_bytes``. Raises TimeoutError and ClientDisconnect."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        return None
    body = bytearray()
    async with asyncio.timeout(timeout_s):
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                return None
    return bytes(body)
