"""Errors of the API server: the hosted service's codes, a message, and always status 200."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.adapters.memory import MemorySearch
from bot.api import ApiLimits
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from tests.fakes.features import random_picture
from tests.fixtures.api_server import (
    ADD,
    CREATE,
    DATABASES,
    DELETE,
    DROP,
    KEY,
    LIST,
    SEARCH,
    ApiServer,
    Json,
    api_server,
)

ILLEGAL = "ClientError.IllegalArgument"
URL = "IllegalUrlParameter"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path, limits=ApiLimits(images=3, wait_s=0.2, body_timeout_s=0.3)) as opened:
        await opened.call(CREATE, Name="parts")
        yield opened


def gateway(envelope: Json) -> tuple[int, str]:
    assert envelope["showapi_res_body"] == {}
    return envelope["showapi_res_code"], envelope["showapi_res_error"]


# -- At the gateway


@pytest.mark.parametrize(
    ("key", "code"),
    [(None, -1002), ("", -1002), ("wrong", -1010), (KEY[:-1], -1010), (KEY + "x", -1010), ("ключ", -1010)],
)
async def test_unknown_keys_are_refused(server: ApiServer, key: str | None, code: int) -> None:
    refused, sentence = gateway(await server.raw(DATABASES, key, data={"ds_id": "any"}))
    assert refused == code
    assert "appKey" in sentence


async def test_key_in_the_form_is_refused(server: ApiServer) -> None:
    envelope = await server.raw(DATABASES, None, data={"ds_id": "any", "appKey": KEY}, headers={"appKey": KEY})
    assert gateway(envelope)[0] == -1002


@pytest.mark.parametrize("path", [CREATE, DATABASES, ADD, LIST, SEARCH, DROP, DELETE])
async def test_every_call_needs_a_ds_id(server: ApiServer, path: str) -> None:
    for fields in ({}, {"ds_id": ""}, {"DbName": "parts"}):
        assert gateway(await server.raw(path, data=fields))[0] == -1


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"ds_id": "any"}', "application/json"),
        (b"ds_id=any", ""),
        (b"ds_id=any", "text/plain"),
        (b"ds_id=%ff", "application/x-www-form-urlencoded"),
        (b"ds_id=\xff", "application/x-www-form-urlencoded"),
        (b"&".join(b"ds_id=any" for _ in range(200)), "application/x-www-form-urlencoded"),
        (b"ds_id=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
    ],
)
async def test_body_other_than_a_form_is_refused(server: ApiServer, content: bytes, kind: str) -> None:
    envelope = await server.raw(DATABASES, content=content, headers={"Content-Type": kind})
    code, sentence = gateway(envelope)
    assert code == -1
    assert sentence.endswith(".")


async def test_endless_body_is_refused(server: ApiServer) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    try:
        envelope = await server.raw(DATABASES, content=endless())
    except httpx.WriteError:
        return  # the server closed the connection
    assert gateway(envelope)[0] == -1


async def test_slow_body_times_out(server: ApiServer) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"ds_id="
        await asyncio.sleep(1)
        yield b"any"

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert gateway(await server.raw(DATABASES, content=slow(), headers=headers))[0] == -1


@pytest.mark.parametrize("path", ["/2475-8", "/2475-0", "/2475-1/", "/", "/healthz", "/2475-1/x", "//2475-1"])
async def test_other_paths_are_refused(server: ApiServer, path: str) -> None:
    assert gateway(await server.raw(path, data={"ds_id": "any"}))[0] == -6


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(server: ApiServer, method: str) -> None:
    answer = await server.client.request(method, server.url + DATABASES, params={"appKey": KEY})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


# -- The fields


@pytest.mark.parametrize("path", [ADD, LIST, SEARCH, DROP, DELETE])
async def test_missing_database_is_refused(server: ApiServer, path: str) -> None:
    url = server.picture("valve.png")
    code, sentence = await server.call_refused(
        path, DbName="nowhere", Name="nowhere", EntityId="e", ExtraData="", ImageUrl=url, Limit="1"
    )
    assert (code, sentence) == (ILLEGAL, "There is no database “nowhere” here.")
    assert not server.web.requests


async def test_existing_name_is_refused(server: ApiServer) -> None:
    assert await server.call_refused(CREATE, Name="parts") == (
        ILLEGAL,
        "A database named “parts” already exists. Choose another name.",
    )


@pytest.mark.parametrize("name", ["x", "Parts", "a b", "x" * 65, "part\x00", "数据库", ""])
async def test_invalid_names_are_refused(server: ApiServer, name: str) -> None:
    code, _ = await server.call_refused(CREATE, Name=name)
    assert code == ILLEGAL
    assert (await server.call_refused(LIST, DbName=name))[0] == ILLEGAL


@pytest.mark.parametrize("entity", ["", "Valve", "a-b", "x" * 65, "阀"])
async def test_invalid_entities_are_refused(server: ApiServer, entity: str) -> None:
    url = server.picture("valve.png")
    assert (await server.call_refused(ADD, DbName="parts", EntityId=entity, ExtraData="", ImageUrl=url))[0] == ILLEGAL
    assert (await server.call_refused(DELETE, DbName="parts", EntityId=entity))[0] == ILLEGAL


async def test_extra_data_may_be_empty_but_not_too_long(server: ApiServer) -> None:
    url = server.picture("valve.png")
    await server.add(url, extra="")
    await server.add(url, extra="汉" * 512)
    known = {"DbName": "parts", "EntityId": "e", "ImageUrl": url}
    assert (await server.call_refused(ADD, **known, ExtraData="x" * 513))[0] == ILLEGAL
    assert "ExtraData" in (await server.call_refused(ADD, **known))[1]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "ten", "", "１", "1e2", "9" * 40])
async def test_invalid_limits_are_refused(server: ApiServer, limit: str) -> None:
    url = server.picture("valve.png")
    code, sentence = await server.call_refused(SEARCH, DbName="parts", ImageUrl=url, Limit=limit)
    assert code == ILLEGAL
    assert "Limit" in sentence
    if limit:
        assert (await server.call_refused(LIST, DbName="parts", Limit=limit))[0] == ILLEGAL
    assert not server.web.requests


@pytest.mark.parametrize(
    "fields",
    [
        {"Offset": "-1"},
        {"Offset": "x"},
        {"Offset": "2000"},
        {"Order": "newest"},
        {"Order": "id"},
        {"EntityIdPrefix": "A"},
        {"EntityIdPrefix": "x" * 65},
        {"Token": "made-up"},
        {"Token": "✗"},
    ],
)
async def test_invalid_listing_fields_are_refused(server: ApiServer, fields: dict[str, str]) -> None:
    assert (await server.call_refused(LIST, DbName="parts", **fields))[0] == ILLEGAL


async def test_empty_optional_fields_count_as_missing(server: ApiServer) -> None:
    listed = await server.call(LIST, DbName="parts", Offset="", Limit="", Token="", Order="", EntityIdPrefix="")
    assert listed == {"TotalCount": 0, "ImageList": [], "Token": ""}


class LargeMemorySearch(MemorySearch):
    """A back end with a database of 2,100 images without pictures."""

    async def fill(self, key: DatabaseKey) -> None:
        picture = random_picture(1)
        for number in range(2100):
            await self.add_image(key, picture, EntityId(f"e{number}"), Note())


async def test_rows_beyond_offset_2000_need_a_token(tmp_path: Path) -> None:
    deep = LargeMemorySearch()
    async with api_server(tmp_path, deep) as server:
        await server.call(CREATE, Name="parts")
        [key] = deep._databases
        await deep.fill(key)
        last = await server.call(LIST, DbName="parts", Offset="1900", Limit="1000", Order="asc")
        assert [row["EntityId"] for row in last["ImageList"]] == [f"e{number}" for number in range(1900, 2000)]
        assert last["TotalCount"] == 2100
        rest = await server.call(LIST, DbName="parts", Token=last["Token"], Offset="9000", Limit="1000", Order="asc")
        assert [row["EntityId"] for row in rest["ImageList"]] == [f"e{number}" for number in range(2000, 2100)]
