"""The API server when its back end fails, when it is overloaded, and when callers disconnect."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.adapters.memory import MemorySearch
from bot.api import ApiLimits
from bot.domain.errors import (
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendGarbled,
    BackendThrottled,
    BackendTimeout,
    BotError,
    ModelMismatch,
    UnknownEntity,
)
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.matches import Caveat, Matches
from bot.domain.pictures import Picture
from tests.fixtures.api_server import ADD, CREATE, DATABASES, KEY, SEARCH, api_server
from tests.fixtures.pictures import encoded, photo

ILLEGAL = "ClientError.IllegalArgument"


class Failing(MemorySearch):
    """A back end whose operations raise a given error."""

    failure: Exception | None = None

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        if self.failure:
            raise self.failure
        return await super().search(database, picture, limit, exclude)

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        if self.failure:
            raise self.failure
        return await super().add_image(database, picture, entity, note, data_id)


def in_doubt(error: BackendError) -> BackendError:
    error.may_have_been_done = True
    return error


@pytest.mark.parametrize(
    ("failure", "number", "code"),
    [
        (BackendTimeout("secret detail"), 500, "InternalError.Timeout"),
        (BackendThrottled("secret detail"), 400, "Throttling"),
        (BackendDown("secret detail"), 586, "InternalError.Algo"),
        (BackendGarbled("secret detail"), 586, "InternalError.Algo"),
        (in_doubt(BackendGarbled("secret detail")), 500, "InternalError.Timeout"),
        (BackendCredentials("secret detail"), 586, "InternalError.Algo"),
        (ModelMismatch("parts"), 586, "InternalError.Algo"),
        (UnknownEntity("e", "parts"), 400, ILLEGAL),
        (BotError("secret detail"), 586, "InternalError.Algo"),
        (ZeroDivisionError("secret detail"), 586, "InternalError.Algo"),
    ],
)
async def test_failing_back_end_gives_an_internal_error(
    tmp_path: Path, failure: Exception, number: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    visual = Failing()
    async with api_server(tmp_path, visual) as server:
        await server.call(CREATE, Name="parts")
        visual.failure = failure
        url = server.picture("valve.png")
        asked: list[tuple[str, dict[str, Any]]] = [
            (ADD, {"EntityId": "e", "ExtraData": "", "ImageUrl": url}),
            (SEARCH, {"ImageUrl": url, "Limit": "1"}),
        ]
        for path, fields in asked:
            body = await server.body(path, DbName="parts", **fields)
            assert (body["ret_code"], body["Code"]) == (number, code)
            assert "secret detail" not in body["remark"]
            assert "Traceback" not in body["remark"]
        # After that, the back end works again.
        visual.failure = None
        await server.add(url)
    if isinstance(failure, ZeroDivisionError):
        assert "ZeroDivisionError, raised by add_image" in caplog.text
        assert "secret detail" not in caplog.text
    elif isinstance(failure, BackendError):
        assert "secret detail" in caplog.text


class Degraded(MemorySearch):
    """A back end that returns an incomplete result with its cause."""

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        found = await super().search(database, picture, limit, exclude)
        return Matches(found, [Caveat.SAME_IMAGES_ONLY], BackendDown("secret detail"))


async def test_incomplete_result_is_an_error(tmp_path: Path) -> None:
    async with api_server(tmp_path, Degraded()) as server:
        await server.call(CREATE, Name="parts")
        url = server.picture("valve.png")
        await server.add(url)
        body = await server.body(SEARCH, DbName="parts", ImageUrl=url, Limit="1")
    assert (body["ret_code"], body["Code"]) == (586, "InternalError.Algo")


async def test_too_many_concurrent_calls_are_throttled(tmp_path: Path) -> None:
    running = most = 0
    go_on = asyncio.Event()

    async def slow(url: str) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1
        return encoded(photo(200, 150), "PNG")

    async with api_server(tmp_path, limits=ApiLimits(concurrency=2, wait_s=0.1), fetch=slow) as server:
        await server.call(CREATE, Name="parts")
        fields = {"DbName": "parts", "ImageUrl": "https://pictures.example/x.png", "Limit": "1"}
        calls = [asyncio.create_task(server.body(SEARCH, **fields)) for _ in range(5)]
        done, waiting = await asyncio.wait(calls, timeout=0.6)
        assert [task.result()["Code"] for task in done] == ["Throttling"] * 3
        # Calls without a picture need no slot.
        await server.call(DATABASES)
        go_on.set()
        assert [(await task)["ret_code"] for task in waiting] == [0, 0]
        assert most == 2


async def test_disconnected_caller_does_not_affect_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    unfinished = b"POST /2475-2?appKey=" + KEY.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nds"
    async with api_server(tmp_path) as server:
        for sent in (unfinished, b"\0\1"):
            with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port)) as connection:
                connection.sendall(sent)
        await asyncio.sleep(0.1)
        await server.call(DATABASES)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
