"""The stand-in's page on its way to the browser: what it lacks is added to its head. Pure, but for two files."""

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
        """From its bytes; what is no HTTP has an empty path, and comes from nowhere."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        headers = ((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        path = urlsplit(rest.partition(" ")[0]).path
        return cls(method, path, tuple((name, value) for name, value in headers if name), first)

    def header(self, name: str) -> str:
        """A header's value; empty if it is not there."""
        return next((value for known, value in self.headers if known == name), "")

    def is_from(self, hosts: Sequence[str]) -> bool:
        """Whether it was sent to one of these names, and by no other site's page."""
        host = self.header("host")
        return host.rpartition(":")[0] in hosts and self.header("origin") in {"", f"http://{host}"}

    @property
    def wants_page(self) -> bool:
        """Whether it is answered with the page."""
        return self.method == "GET" and (self.path == "/" or self.path.startswith("/archives/"))

    def passed_on(self) -> bytes:
        """The head for the stand-in: one request for each connection, so that none goes by unseen."""
        if self.header("upgrade"):
            kept = self.headers
        else:
            # A page that is compressed could not be added to.
            dropped = {"connection", "expect"} | ({"accept-encoding"} if self.wants_page else set())
            kept = (*(header for header in self.headers if header[0] not in dropped), ("connection", "close"))
        lines = [self.first_line, *(f"{name}: {value}" for name, value in kept)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def passed_back(head: bytes) -> bytes:
    """The head of a response, which says to the visitor too that there is no second request."""
    if head.split(b" ", 2)[1] == b"101":
        return head
    return head[:-2] + b"connection: close\r\n\r\n"


def completed(response: bytes) -> bytes:
    """A whole response, with our additions if it is the page."""
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    names = {line.partition(b":")[0].strip().lower() for line in lines}
    if b"</head>" not in body or b"transfer-encoding" in names:
        return passed_back(head + b"\r\n\r\n") + body
    body = body.replace(b"</head>", _additions() + b"</head>", 1)
    kept = [line for line in lines if not line.lower().startswith((b"content-length:", b"cache-control:", b"etag:"))]
    told = [f"content-length: {len(body)}".encode(), b"cache-control: no-store", b"connection: close"]
    return b"\r\n".join([status, *kept, *told]) + b"\r\n\r\n" + body


@cache
def _additions() -> bytes:
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    # A module would run after the page's own.
    return f"<style>{style}</style>\n<script>{script}</script>\n".encode()


def redirect(to: str) -> bytes:
    """A response that leads elsewhere, this time."""
    return answer("302 Found", b"", f"location: {to.strip()}")


def answer(status: str, body: bytes, *headers: str) -> bytes:
    """A short response."""
    lines = [f"HTTP/1.1 {status}", *headers, "content-type: text/plain; charset=utf-8", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "connection: close"]).encode() + b"\r\n\r\n" + body
