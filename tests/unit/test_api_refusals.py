"""Our server of the hosted API says no as that service does: in its codes, with a sentence, and always with 200."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.adapters.memory import MemorySearch
from bot.api import Limits
from bot.models import DatabaseKey, EntityId, Note
from tests.api_house import ADD, CREATE, DATABASES, DELETE, DROP, KEY, LIST, SEARCH, ApiHouse, Json, api_house
from tests.fakes.analyser import painted

ILLEGAL = "ClientError.IllegalArgument"
URL = "IllegalUrlParameter"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with api_house(tmp_path, limits=Limits(images=3, wait_s=0.2, body_timeout_s=0.3)) as opened:
        await opened.done(CREATE, Name="parts")
        yield opened


def gateway(envelope: Json) -> tuple[int, str]:
    assert envelope["showapi_res_body"] == {}
    return envelope["showapi_res_code"], envelope["showapi_res_error"]


# -- At the gateway


@pytest.mark.parametrize(
    ("key", "code"),
    [(None, -1002), ("", -1002), ("wrong", -1010), (KEY[:-1], -1010), (KEY + "x", -1010), ("ключ", -1010)],
)
async def test_only_known_keys_get_in(house: ApiHouse, key: str | None, code: int) -> None:
    refused, sentence = gateway(await house.raw(DATABASES, key, data={"ds_id": "any"}))
    assert refused == code
    assert "appKey" in sentence


async def test_the_key_belongs_in_the_query(house: ApiHouse) -> None:
    envelope = await house.raw(DATABASES, None, data={"ds_id": "any", "appKey": KEY}, headers={"appKey": KEY})
    assert gateway(envelope)[0] == -1002


@pytest.mark.parametrize("path", [CREATE, DATABASES, ADD, LIST, SEARCH, DROP, DELETE])
async def test_every_call_needs_a_ds_id(house: ApiHouse, path: str) -> None:
    for fields in ({}, {"ds_id": ""}, {"DbName": "parts"}):
        assert gateway(await house.raw(path, data=fields))[0] == -1


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
async def test_a_body_that_is_no_form_is_refused(house: ApiHouse, content: bytes, kind: str) -> None:
    envelope = await house.raw(DATABASES, content=content, headers={"Content-Type": kind})
    code, sentence = gateway(envelope)
    assert code == -1
    assert sentence.endswith(".")


async def test_a_body_without_end_is_not_read_to_it(house: ApiHouse) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    try:
        envelope = await house.raw(DATABASES, content=endless())
    except httpx.WriteError:
        return  # the server hung up meanwhile
    assert gateway(envelope)[0] == -1


async def test_a_body_that_does_not_come_is_not_waited_for(house: ApiHouse) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"ds_id="
        await asyncio.sleep(1)
        yield b"any"

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert gateway(await house.raw(DATABASES, content=slow(), headers=headers))[0] == -1


@pytest.mark.parametrize("path", ["/2475-8", "/2475-0", "/2475-1/", "/", "/healthz", "/2475-1/x", "//2475-1"])
async def test_there_are_no_other_services(house: ApiHouse, path: str) -> None:
    assert gateway(await house.raw(path, data={"ds_id": "any"}))[0] == -6


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_calls_are_posted(house: ApiHouse, method: str) -> None:
    answer = await house.client.request(method, house.url + DATABASES, params={"appKey": KEY})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


# -- The fields


@pytest.mark.parametrize("path", [ADD, LIST, SEARCH, DROP, DELETE])
async def test_a_database_that_is_not_there(house: ApiHouse, path: str) -> None:
    url = house.picture("valve.png")
    code, sentence = await house.refused(
        path, DbName="nowhere", Name="nowhere", EntityId="e", ExtraData="", ImageUrl=url, Limit="1"
    )
    assert (code, sentence) == (ILLEGAL, "There is no database “nowhere” here.")
    assert not house.web.requests


async def test_a_name_that_is_taken(house: ApiHouse) -> None:
    assert await house.refused(CREATE, Name="parts") == (ILLEGAL, "There is a database “parts” already.")


@pytest.mark.parametrize("name", ["x", "Parts", "a b", "x" * 65, "part\x00", "数据库", ""])
async def test_names_have_their_form(house: ApiHouse, name: str) -> None:
    code, _ = await house.refused(CREATE, Name=name)
    assert code == ILLEGAL
    assert (await house.refused(LIST, DbName=name))[0] == ILLEGAL


@pytest.mark.parametrize("entity", ["", "Valve", "a-b", "x" * 65, "阀"])
async def test_entities_have_their_form(house: ApiHouse, entity: str) -> None:
    url = house.picture("valve.png")
    assert (await house.refused(ADD, DbName="parts", EntityId=entity, ExtraData="", ImageUrl=url))[0] == ILLEGAL
    assert (await house.refused(DELETE, DbName="parts", EntityId=entity))[0] == ILLEGAL


async def test_extra_data_may_be_empty_but_not_long(house: ApiHouse) -> None:
    url = house.picture("valve.png")
    await house.add(url, extra="")
    await house.add(url, extra="汉" * 512)
    known = {"DbName": "parts", "EntityId": "e", "ImageUrl": url}
    assert (await house.refused(ADD, **known, ExtraData="x" * 513))[0] == ILLEGAL
    assert "ExtraData" in (await house.refused(ADD, **known))[1]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "ten", "", "１", "1e2", "9" * 40])
async def test_the_limit_is_a_number_from_1_to_1000(house: ApiHouse, limit: str) -> None:
    url = house.picture("valve.png")
    code, sentence = await house.refused(SEARCH, DbName="parts", ImageUrl=url, Limit=limit)
    assert code == ILLEGAL
    assert "Limit" in sentence
    if limit:
        assert (await house.refused(LIST, DbName="parts", Limit=limit))[0] == ILLEGAL
    assert not house.web.requests


@pytest.mark.parametrize(
    "fields",
    [
        {"Offset": "-1"},
        {"Offset": "x"},
        {"Offset": "2000"},
        {"Order": "newest"},
        {"EntityIdPrefix": "A"},
        {"EntityIdPrefix": "x" * 65},
        {"Token": "made-up"},
        {"Token": "✗"},
    ],
)
async def test_listings_have_their_limits(house: ApiHouse, fields: dict[str, str]) -> None:
    assert (await house.refused(LIST, DbName="parts", **fields))[0] == ILLEGAL


async def test_empty_optional_fields_are_as_good_as_none(house: ApiHouse) -> None:
    listed = await house.done(LIST, DbName="parts", Offset="", Limit="", Token="", Order="", EntityIdPrefix="")
    assert listed == {"TotalCount": 0, "ImageList": [], "Token": ""}


class Deep(MemorySearch):
    """A database of 2,100 images that were never pictures."""

    async def fill(self, key: DatabaseKey) -> None:
        picture = painted(1)
        for number in range(2100):
            await self.add_image(key, picture, EntityId(f"e{number}"), Note())


async def test_offsets_end_at_2000_and_the_token_leads_on(tmp_path: Path) -> None:
    deep = Deep()
    async with api_house(tmp_path, deep) as house:
        await house.done(CREATE, Name="parts")
        [key] = deep._databases
        await deep.fill(key)
        last = await house.done(LIST, DbName="parts", Offset="1900", Limit="1000", Order="asc")
        assert [row["EntityId"] for row in last["ImageList"]] == [f"e{number}" for number in range(1900, 2000)]
        assert last["TotalCount"] == 2100
        rest = await house.done(LIST, DbName="parts", Token=last["Token"], Offset="9000", Limit="1000", Order="asc")
        assert [row["EntityId"] for row in rest["ImageList"]] == [f"e{number}" for number in range(2000, 2100)]
