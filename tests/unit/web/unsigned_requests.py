"""Requests that anybody can send: what they look like on the wire, and a client that sends them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping

Bytes = Callable[[], bytes]

_HEAD = "POST /slack/events HTTP/1.1\r\nHost: v.example\r\n"
_FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
_JSON = "Content-Type: application/json\r\n"


def _signed_badly() -> str:
    return f"X-Slack-Request-Timestamp: {int(time.time())}\r\nX-Slack-Signature: v0={'0' * 64}\r\n"


def _post(kind: str, body: bytes) -> bytes:
    return f"{_HEAD}{kind}{_signed_badly()}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _chunked(body: bytes, size: int) -> bytes:
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    head = f"{_HEAD}{_FORM}{_signed_badly()}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: v.example\r\n{headers}\r\n".encode()


REQUESTS: Mapping[str, Bytes] = {
    "form of 4 MB with 1,000,000 fields": lambda: _post(_FORM, b"a=1&" * 1_000_000),
    "form of 1 MB with 250,000 fields": lambda: _post(_FORM, b"a=1&" * 249_000),
    "form of 1 MB with escapes": lambda: _post(_FORM, b"payload=" + b"%7B" * 330_000),
    "deep JSON of 1 MB": lambda: _post(_JSON, b'{"a":' * 199_000),
    "wide JSON of 1 MB": lambda: _post(_JSON, b"[" + b"{}," * 330_000 + b"1]"),
    "chunks of one byte": lambda: _chunked(b"a" * 100_000, 1),
    "chunked form of 4 MB": lambda: _chunked(b"a=1&" * 1_000_000, 50_000),
    "header of 1 MB": lambda: _get("/healthz", f"X-Long: {'x' * 1_000_000}\r\n"),
    "100,000 header fields": lambda: _get("/healthz", "a:\r\n" * 100_000),
    "3,900 header fields": lambda: _get("/healthz", "a:\r\n" * 3900),
    "90 long header fields": lambda: _get("/healthz", "".join(f"x-{n}: {'y' * 160}\r\n" for n in range(90))),
    "duplicated headers": lambda: _post(_signed_badly() * 40 + _JSON * 10, b"{}"),
    "folded header": lambda: _get("/healthz", "a: b\r\n" + " c\r\n" * 3500),
    "long target": lambda: _get("/media/" + "%2e" * 5000),
    "long query": lambda: _get("/slack/oauth_redirect?" + "a=1&" * 3900),
    "many cookies": lambda: _get("/slack/oauth_redirect?state=x", f"Cookie: {'a=b; ' * 3000}\r\n"),
    "pipelined requests": lambda: _get("/healthz") * 3000,
    "no HTTP": lambda: b"\x16\x03\x01" * 100_000,
}


def send(address: tuple[str, int], content: bytes, *, timeout_s: float = 10.0) -> bytes:
    """Send bytes on a connection of their own, and return what comes back until the server closes or falls silent."""
    with socket.create_connection(address, timeout_s) as connection:
        connection.settimeout(0.5)
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(content)
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65_536):
                answer += chunk
        return answer


def open_many(address: tuple[str, int], number: int) -> list[socket.socket]:
    """Open connections that send nothing, as fast as the system can."""
    opened = []
    for _ in range(number):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.connect(address)
        opened.append(connection)
    return opened
