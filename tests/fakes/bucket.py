"""A minimal bucket service on 127.0.0.1 with one bucket, which fails on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.storage.pictures.bucket import Bucket, BucketKey

NOT_THERE = "404 Not Found"
NEVER = "never"
HANGS_UP = "hangs up"


@dataclass(frozen=True, slots=True)
class BucketRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeBucket:
    """A bucket service.

    ``faults`` are the results of the next requests: NEVER (no answer), HANGS_UP, or a status and error code.
    ``permanent_fault`` is the result of all further requests. Clear ``let_delete`` to hold deletions.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[BucketRequest] = field(default_factory=list)
    faults: deque[tuple[str, str]] = field(default_factory=deque)
    permanent_fault: tuple[str, str] | None = None
    let_delete: asyncio.Event = field(default_factory=asyncio.Event)
    deleting: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    def bucket(self, key: BucketKey | None) -> Bucket:
        return Bucket(name="pictures", endpoint=f"http://127.0.0.1:{self.port}", key=key)

    def methods(self) -> list[str]:
        return [asked.method for asked in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                asked = await _read(reader)
                self.asked.append(asked)
                fault = self.faults.popleft() if self.faults else self.permanent_fault
                if fault and fault[0] == HANGS_UP:
                    return
                if fault and fault[0] == NEVER:
                    await asyncio.Event().wait()
                status, body = await self._done(asked) if fault is None else _error(*fault)
                writer.write(_answer(status, b"" if asked.method == "HEAD" else body))
                await writer.drain()

    async def _done(self, asked: BucketRequest) -> tuple[str, bytes]:
        if asked.method == "PUT":
            self.objects[asked.path] = asked.body
        elif asked.method == "DELETE":
            self.deleting.set()
            await self.let_delete.wait()
            self.objects.pop(asked.path, None)
        elif asked.path not in self.objects:
            return _error(NOT_THERE, "NoSuchKey")
        return "200 OK", self.objects[asked.path] if asked.method == "GET" else b""


async def _read(reader: asyncio.StreamReader) -> BucketRequest:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(": ") for line in lines if line)
    headers = {name.lower(): value for name, _, value in pairs}
    return BucketRequest(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def _error(status: str, code: str) -> tuple[str, bytes]:
    return status, f"<Error><Code>{code}</Code><Message>hidden-bucket-secret</Message></Error>".encode()


def _answer(status: str, body: bytes) -> bytes:
    known = 'ETag: "1"\r\nLast-Modified: Tue, 01 Oct 2024 12:00:00 GMT'
    return f"HTTP/1.1 {status}\r\n{known}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def fake_bucket() -> AsyncIterator[FakeBucket]:
    bucket = FakeBucket()
    bucket.let_delete.set()
    running: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await bucket.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            running.discard(task)
            writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    bucket.port = listening.sockets[0].getsockname()[1]
    try:
        yield bucket
    finally:
        listening.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
