"""Helpers for tests of the hosted service's client: responses, a scripted transport, and short timeouts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.adapters.showapi.http.resilience import RetryPolicy
from bot.domain.errors import BackendError
from bot.telemetry.metrics import NullMetrics

KEY = "planted-app-key-4f9c1d7e"
ACCOUNT = ShowApiAccount("https://hosted.example", KEY, "ds-7", calls_per_s=10_000)
QUICK = RetryPolicy(
    connect_s=0.5,
    read_s=0.5,
    attempt_s=0.9,
    overall_s=3.0,
    pause_s=0.001,
    throttled_pause_s=0.001,
    last_start_s=0.1,
    probe_after_s=0.05,
)

Answer = httpx.Response | Exception


def good(data: object = None, **body: object) -> httpx.Response:
    inner = {"ret_code": 0, "remark": "成功", "RequestId": "REQ-1"} | body
    if data is not None:
        inner["Data"] = data
    return wrapped(inner)


def wrapped(body: object, code: object = 0, error: str = "", **more: object) -> httpx.Response:
    envelope = {"showapi_res_code": code, "showapi_res_error": error, "showapi_res_id": "res-1", "showapi_fee_num": 1}
    return plain(json.dumps(envelope | {"showapi_res_body": body} | more))


def upstream(code: str, status: int = 400, text: str = "The specified parameter is not valid.") -> httpx.Response:
    return plain(json.dumps({"RequestId": "7463B73D", "HostId": "h", "Code": code, "Message": text}), status)


def plain(content: str | bytes, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=content)


@dataclass
class Asked:
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: httpx.Headers


@dataclass
class Scripted(httpx.AsyncBaseTransport):
    """Returns the answers in turn, then repeats the last one. Records the requests."""

    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        form = dict(parse_qsl(content.decode(), keep_blank_values=True))
        self.asked.append(Asked(request.url.path, dict(request.url.params), form, request.headers))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content)

    @property
    def numbers(self) -> str:
        return "".join(asked.path[-1] for asked in self.asked)


class Counting(NullMetrics):
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.charged = 0

    def hosted_call(self, operation: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((operation, outcome))

    def hosted_charged(self, calls: int) -> None:
        self.charged += calls


@asynccontextmanager
async def client(*answers: Answer, **options: Any) -> AsyncIterator[tuple[ShowApiClient, Scripted]]:
    """Open a client whose transport returns these answers."""
    transport = Scripted(list(answers))
    service = ShowApiClient(options.pop("account", ACCOUNT), transport=transport, **{"retry_policy": QUICK} | options)
    try:
        yield service, transport
    finally:
        await service.close()


Call = Callable[[ShowApiClient], Any]

URL = "https://bot.example/media/abc"
CALLS: dict[str, Call] = {
    "create_database": lambda service: service.create_database("parts"),
    "databases": lambda service: service.databases(),
    "delete_database": lambda service: service.delete_database("parts"),
    "add_image": lambda service: service.add_image("parts", "e_1", "a note", URL),
    "images": lambda service: service.images("parts"),
    "delete_images": lambda service: service.delete_images("parts", "e_1"),
    "search": lambda service: service.search("parts", URL, 10),
}


@asynccontextmanager
async def echoing(answer: bytes) -> AsyncIterator[str]:
    """Run a server that sends these bytes, with TARGET replaced by the requested URL."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            writer.write(answer.replace(b"TARGET", target))
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


EVERYTHING = good({"DbList": [{"Name": "parts"}], "DataId": "7", "ImageList": [], "MatchList": [], "TotalCount": 0})


async def fail(service: ShowApiClient, times: int, kind: type[BackendError] = BackendError) -> None:
    for _ in range(times):
        with pytest.raises(kind):
            await service.create_database("parts")


class Hanging(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(60)
        raise AssertionError
