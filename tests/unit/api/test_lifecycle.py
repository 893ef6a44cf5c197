"""The API server over HTTP: all operations as a client of the hosted service uses them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.api.keys import workspace_of
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search
from tests.fixtures.api_server import (
    ADD,
    CREATE,
    DATABASES,
    DELETE,
    DROP,
    KEY,
    LIST,
    OTHER_KEY,
    SEARCH,
    ApiServer,
    api_server,
)

PARTS = DatabaseKey(workspace_of(KEY), DatabaseName("parts"))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as opened:
        yield opened


async def test_seven_operations_in_sequence(server: ApiServer) -> None:
    assert await server.call(DATABASES) == {"DbList": []}
    assert await server.call(CREATE, Name="parts") is None
    assert await server.call(CREATE, Name="brand") is None
    assert await server.call(DATABASES) == {"DbList": [{"Name": "brand"}, {"Name": "parts"}]}
    valve, pump = server.picture("valve.png", seed=1), server.picture("pump.png?sig=%E9%98%80", seed=2)
    before = time.time() * 1000
    first = await server.add(valve, "valve", "Ventil, 阀门")
    second = await server.add(pump, "pump")
    best, other = await server.search(valve)
    assert best == {
        "DataId": first,
        "EntityId": "valve",
        "ExtraData": "Ventil, 阀门",
        "ImageUrl": valve,
        "Score": 10.0,
    }
    assert (other["DataId"], other["ImageUrl"], other["ExtraData"]) == (second, pump, "")
    assert 0 <= other["Score"] < 9
    listed = await server.call(LIST, DbName="parts", Order="asc")
    assert (listed["TotalCount"], listed["Token"]) == (2, "")
    row = listed["ImageList"][0]
    assert (row["DataId"], row["EntityId"], row["ExtraData"]) == (first, "valve", "Ventil, 阀门")
    assert isinstance(row["CreatedAt"], int)
    assert before - 1 <= row["CreatedAt"] == row["UpdatedAt"] <= time.time() * 1000 + 1
    assert await server.call(DELETE, DbName="parts", EntityId="valve") is None
    assert [match["EntityId"] for match in await server.search(valve)] == ["pump"]
    assert await server.call(DROP, Name="parts") is None
    assert await server.call(DATABASES) == {"DbList": [{"Name": "brand"}]}


async def test_seven_operations_over_the_embedded_engine(tmp_path: Path) -> None:
    other = await SqlStorage.open(tmp_path)
    engine = embedded_search(other)
    async with api_server(tmp_path, engine) as server:
        await server.call(CREATE, Name="parts")
        valve = server.picture("valve.png", seed=1)
        added = await server.add(valve)
        assert [(match["DataId"], match["ImageUrl"]) for match in await server.search(valve)] == [(added, valve)]
        await server.call(DELETE, DbName="parts", EntityId="valve")
        assert await server.search(valve) == []
    await other.close()


async def test_picture_may_be_added_twice_and_is_deleted_with_its_entity(server: ApiServer) -> None:
    await server.call(CREATE, Name="parts")
    url = server.picture("valve.png")
    names = {await server.add(url), await server.add(url)}
    assert len(names) == 2
    assert {match["DataId"] for match in await server.search(url)} == names
    await server.call(DELETE, DbName="parts", EntityId="valve")
    assert (await server.call(LIST, DbName="parts"))["TotalCount"] == 0


async def test_deleting_missing_images_is_no_error(server: ApiServer) -> None:
    await server.call(CREATE, Name="parts")
    await server.call(DELETE, DbName="parts", EntityId="nobody")
    await server.call(DELETE, DbName="parts", EntityId="nobody")


async def test_urls_are_deleted_with_their_images(server: ApiServer) -> None:
    kept = server.storage.api_images

    async def known(*data_ids: str) -> dict[DataId, str]:
        return dict(await kept.urls(PARTS, map(DataId, data_ids)))

    await server.call(CREATE, Name="parts")
    valve, pump = server.picture("valve.png", seed=1), server.picture("pump.png", seed=2)
    first, second = await server.add(valve, "valve"), await server.add(pump, "pump")
    assert await known(first, second, "unknown") == {first: valve, second: pump}
    await server.call(DELETE, DbName="parts", EntityId="valve")
    assert await known(first, second) == {second: pump}
    await server.call(DROP, Name="parts")
    assert await known(first, second) == {}


async def test_listing_is_paged_by_offset_and_then_by_token(server: ApiServer) -> None:
    await server.call(CREATE, Name="parts")
    url = server.picture("valve.png")
    names = [await server.add(url, f"valve_{number}") for number in range(7)]
    await server.add(url, "pump")

    async def page(**more: str) -> tuple[list[str], str]:
        data = await server.call(LIST, DbName="parts", Order="asc", EntityIdPrefix="valve", **more)
        assert data["TotalCount"] == 7
        return [row["DataId"] for row in data["ImageList"]], data["Token"]

    first, token = await page(Limit="3")
    second, token = await page(Limit="3", Token=token)
    last, end = await page(Limit="3", Token=token)
    assert (first, second, last, end) == (names[:3], names[3:6], names[6:], "")
    assert await page(Offset="5", Limit="10") == (names[5:], "")
    newest = await server.call(LIST, DbName="parts", Order="desc", EntityIdPrefix="valve")
    assert [row["DataId"] for row in newest["ImageList"]] == names[::-1]


async def test_each_key_has_its_own_databases(server: ApiServer) -> None:
    url = server.picture("valve.png")
    for key in (KEY, OTHER_KEY):
        await server.call(CREATE, key, Name="parts")
    await server.add(url)
    nothing = await server.call(SEARCH, OTHER_KEY, DbName="parts", ImageUrl=url, Limit="10")
    assert nothing == {"MatchList": []}
    await server.call(DELETE, OTHER_KEY, DbName="parts", EntityId="valve")
    await server.call(DROP, OTHER_KEY, Name="parts")
    assert await server.call(DATABASES, OTHER_KEY) == {"DbList": []}
    assert len(await server.search(url)) == 1


def test_workspace_of_a_key_is_no_slack_workspace() -> None:
    assert workspace_of(KEY) == f"api:{hashlib.sha256(KEY.encode()).hexdigest()[:16]}"
    assert workspace_of(KEY) != workspace_of(OTHER_KEY)


async def test_many_concurrent_calls_succeed(server: ApiServer) -> None:
    await server.call(CREATE, Name="parts")
    urls = [server.picture(f"{seed}.png", seed=seed) for seed in range(12)]
    added = await asyncio.gather(*(server.add(url, f"e{number}") for number, url in enumerate(urls)))
    assert len(set(added)) == 12
    found = await asyncio.gather(*(server.search(url, limit=1) for url in urls))
    assert [matches[0]["DataId"] for matches in found] == added


async def test_every_response_has_a_unique_id_that_is_in_the_log(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        envelopes = [await server.raw(DATABASES, data={"ds_id": "any"}) for _ in range(3)]
    identifiers = {envelope["showapi_res_id"] for envelope in envelopes}
    assert len(identifiers) == 3
    assert {envelope["showapi_res_body"]["RequestId"] for envelope in envelopes} == identifiers
    assert {envelope["showapi_fee_num"] for envelope in envelopes} == {0}
    assert "/2475-2: done, in" in caplog.text


async def test_keys_are_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        # Start the server inside the test. Otherwise pytest would add a handler to the server's disabled logger.
        async with api_server(tmp_path) as server:
            await server.call(CREATE, Name="parts")
            await server.add(server.picture("valve.png"))
            await server.raw(ADD, data={"ds_id": "any"})
            await server.raw(ADD, "a-wrong-key-that-is-long")
            await server.raw("/2475-8")
    # httpx, the client in this test, logs URLs. The program's logging setup silences it.
    theirs = {"httpx", "httpcore"}
    told = [record.getMessage() for record in caplog.records if record.name.partition(".")[0] not in theirs]
    assert any("/2475-3" in line for line in told)
    assert not any("key-" in line for line in told)


async def test_health_check_answers(server: ApiServer) -> None:
    answer = await server.client.get(f"{server.url}/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


async def test_running_calls_finish_at_shutdown(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(url: str) -> bytes:
        begun.set()
        await go_on.wait()
        raise AssertionError(url)

    async with httpx.AsyncClient() as client:
        async with api_server(tmp_path, fetch=slow) as server:
            await server.call(CREATE, Name="parts")
            server.client = client
            asked = asyncio.create_task(server.body(SEARCH, DbName="parts", ImageUrl="http://x.example/", Limit="1"))
            await begun.wait()
            asyncio.get_running_loop().call_later(0.1, go_on.set)
        assert (await asked)["Code"] == "InternalError.Algo"
