"""Add what the stand-in's page lacks on its way to the browser. No I/O, except for reading two files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Request:
    """The head of an HTTP request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    first_line: str

    @classmethod
    def parse(cls, head: bytes) -> Self:
        """Parse a request head. If it is not HTTP, the path is empty and no header is set."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        headers = ((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        path = urlsplit(rest.partition(" ")[0]).path
        return cls(method, path, tuple((name, value) for name, value in headers if name), first)

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        return next((value for known, value in self.headers if known == name), "")

    def is_from(self, hosts: Sequence[str]) -> bool:
        """Return whether the request was sent to one of these host names, and not from another site's page."""
        host = self.header("host")
        return host.rpartition(":")[0] in hosts and self.header("origin") in {"", f"http://{host}"}

    @property
    def wants_page(self) -> bool:
        """Return whether the response will be the page."""
        return self.method == "GET" and (self.path == "/" or self.path.startswith("/archives/"))

    def passed_on(self) -> bytes:
        """Return the head for the stand-in, with one request per connection, so that every request passes the gate."""
        if self.header("upgrade"):
            kept = self.headers
        else:
            # A compressed page could not be changed.
            dropped = {"connection", "expect"} | ({"accept-encoding"} if self.wants_page else set())
            kept = (*(header for header in self.headers if header[0] not in dropped), ("connection", "close"))
        lines = [self.first_line, *(f"{name}: {value}" for name, value in kept)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def passed_back(head: bytes) -> bytes:
    """Return a response head that also tells the client that the connection closes."""
    if head.split(b" ", 2)[1] == b"101":
        return head
    return head[:-2] + b"connection: close\r\n\r\n"


def completed(response: bytes) -> bytes:
    """Return the response, with our additions if it is the page."""
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    names = {line.partition(b":")[0].strip().lower() for line in lines}
    if b"</head>" not in body or b"transfer-encoding" in names:
        return passed_back(head + b"\r\n\r\n") + body
    body = body.replace(b"</head>", _additions() + b"</head>", 1)
    kept = [line for line in lines if not line.lower().startswith((b"content-length:", b"cache-control:", b"etag:"))]
    added = [f"content-length: {len(body)}".encode(), b"cache-control: no-store", b"connection: close"]
    return b"\r\n".join([status, *kept, *added]) + b"\r\n\r\n" + body


@cache
def _additions() -> bytes:
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    # A module would run after the page's own scripts.
    return f"<style>{style}</style>\n<script>{script}</script>\n".encode()


def redirect(to: str) -> bytes:
    """Return a temporary redirect."""
    return answer("302 Found", b"", f"location: {to.strip()}")


def answer(status: str, body: bytes, *headers: str) -> bytes:
    """Return a short plain-text response."""
    lines = [f"HTTP/1.1 {status}", *headers, "content-type: text/plain; charset=utf-8", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "connection: close"]).encode() + b"\r\n\r\n" + body
