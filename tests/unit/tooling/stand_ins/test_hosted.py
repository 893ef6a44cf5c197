"""The stand-in for the hosted service behaves as documented, and accepts nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes.hosted import APP_KEY, DS_ID
from tests.fakes.hosted.forms import FORM
from tests.fixtures.pictures import encoded, photo
from tests.unit.tooling.stand_ins.hosted_client import HostedClient, hosted_client, jpeg


@pytest.fixture
async def client() -> AsyncIterator[HostedClient]:
    async with hosted_client() as it:
        yield it


async def test_image_is_added_found_listed_and_deleted(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")
    urls = [client.host(jpeg(seed), f"/{seed}.jpg") for seed in range(4)]
    ids = [await client.add("parts", f"e_{seed}", url, f"note {seed}") for seed, url in enumerate(urls)]
    assert await client.succeed("databases") == {"DbList": [{"Name": "parts"}]}
    rows = (await client.succeed("list", DbName="parts"))["ImageList"]
    assert [row["DataId"] for row in rows] == ids
    assert set(rows[0]) == {"DataId", "EntityId", "ExtraData", "CreatedAt", "UpdatedAt"}

    found = (await client.succeed("search", DbName="parts", ImageUrl=urls[2], Limit="3"))["MatchList"]
    scores = [match["Score"] for match in found]
    assert len(found) == 3
    assert scores != sorted(scores, reverse=True)
    best = max(found, key=lambda match: match["Score"])
    expected = {"DataId": ids[2], "EntityId": "e_2", "ExtraData": "note 2", "ImageUrl": urls[2], "Score": 10.0}
    assert best == expected

    await client.succeed("delete", DbName="parts", EntityId="e_2")
    await client.succeed("delete", DbName="parts", EntityId="e_2")
    assert await client.listed("parts") == ["e_0", "e_1", "e_3"]
    await client.succeed("drop", Name="parts")
    assert await client.refused("list", DbName="parts") == "ClientError.IllegalArgument"
    assert [call.operation for call in client.service.calls][:2] == ["create", "add"]
    assert len(client.service.fetched) == 5


async def test_same_url_twice_is_two_images_that_are_deleted_together(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")
    url = client.host(jpeg())
    assert await client.add("parts", "one", url) != await client.add("parts", "one", url)
    await client.succeed("delete", DbName="parts", EntityId="one")
    assert client.service.images_of("parts") == ()


async def test_only_documented_fields_and_the_right_key_are_accepted(client: HostedClient) -> None:
    good = {"ds_id": DS_ID, "Name": "parts"}

    async def code(**more: Any) -> int:
        answer = await client.raw("create", **more)
        assert answer.status_code == 200
        assert answer.json()["showapi_res_body"] == {}
        return int(answer.json()["showapi_res_code"])

    assert await code(data=good, key="") == -1002
    assert await code(data={**good, "appKey": APP_KEY}, key="") == -1002
    assert await code(data=good, key="another") == -1010
    assert await code(json=good) == -1
    assert await code(data=good, files={"x": b""}) == -1
    assert await code(data={"ds_id": DS_ID}) == -1
    assert await code(data={**good, "Names": "x"}) == -1
    assert await code(content=b"ds_id=ds-7&Name=a1&Name=b1", headers={"content-type": FORM}) == -1
    assert await code(data={**good, "ds_id": "another"}) == -1006
    assert client.service.names == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"EntityId": "Upper"},
        {"EntityId": ""},
        {"EntityId": "e" * 65},
        {"DbName": "p"},
        {"DbName": "nowhere"},
        {"ExtraData": "x" * 513},
        {"ExtraData": "👩"},
    ],
)
async def test_malformed_values_are_refused_upstream(client: HostedClient, wrong: dict[str, str]) -> None:
    await client.succeed("create", Name="parts")
    good = {"DbName": "parts", "EntityId": "e", "ExtraData": "", "ImageUrl": client.host(jpeg())}
    answer = await client.request("add", **{**good, **wrong})
    assert answer.status_code == 400
    assert set(answer.json()) == {"RequestId", "HostId", "Code", "Message"}
    assert client.service.images_of("parts") == ()
    client.service.in_remarks = True
    answer = await client.request("add", **{**good, **wrong})
    assert answer.status_code == 200
    assert answer.json()["showapi_res_code"] == 0
    assert "ClientError.IllegalArgument" in answer.json()["showapi_res_body"]["remark"]


@pytest.mark.parametrize(
    "wrong",
    ["Limit=0", "Limit=201", "Limit=", "Order=up", "Offset=-1", "Offset=1991", "Token=x", "Token=", "EntityIdPrefix="],
)
async def test_list_request_has_its_own_form(client: HostedClient, wrong: str) -> None:
    await client.succeed("create", Name="parts")
    name, _, value = wrong.partition("=")
    assert await client.refused("list", DbName="parts", **{name: value}) == "ClientError.IllegalArgument"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (jpeg(width=128), "InvalidFile.Resolution"),
        (jpeg(height=1024), "InvalidFile.Resolution"),
        (encoded(photo(200, 200), "WEBP"), "InvalidFile.Type"),
        (b"<html>", "InvalidFile.Type"),
        (jpeg() + bytes(2 * 2**20), "InvalidFile.Size"),
        (
            jpeg(exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
            "ClientError.IllegalArgument",
        ),
    ],
)
async def test_picture_outside_the_limits_is_refused(client: HostedClient, content: bytes, code: str) -> None:
    await client.succeed("create", Name="parts")
    url = client.host(content)
    assert await client.refused("add", DbName="parts", EntityId="e", ExtraData="", ImageUrl=url) == code
    assert client.service.fetched[-1].problem


async def test_search_accepts_one_megabyte_more(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")
    url = client.host(jpeg() + bytes(2 * 2**20))
    assert await client.succeed("search", DbName="parts", ImageUrl=url, Limit="200") == {"MatchList": []}
    assert await client.refused("search", DbName="parts", ImageUrl=url, Limit="201") == "ClientError.IllegalArgument"


async def test_url_without_a_picture_is_refused(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")

    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)

    client.web.answers["/slow"] = never
    form = {"DbName": "parts", "EntityId": "e", "ExtraData": ""}
    for address in ("http://h/图.jpg", "file:///p.jpg", "", client.web.url("/gone"), "http://127.0.0.1:1/"):
        assert await client.refused("add", ImageUrl=address, **form) == "IllegalUrlParameter"
    client.service.pictures.timeout_s = 0.1
    assert await client.refused("add", ImageUrl=client.web.url("/slow"), **form) == -3


async def test_token_pages_start_where_offsets_end(client: HostedClient) -> None:
    client.service.fill("parts", 2130)
    seen: list[str] = []
    for offset in range(0, 2000, 200):
        page = await client.succeed("list", DbName="parts", Offset=str(offset), Limit="200", Order="desc")
        seen += [row["EntityId"] for row in page["ImageList"]]
    while page["ImageList"]:
        page = await client.succeed("list", DbName="parts", Token=page["Token"], Limit="100", Order="desc")
        seen += [row["EntityId"] for row in page["ImageList"]]
    assert page["TotalCount"] == 2130
    assert seen == [f"e_{number}" for number in reversed(range(2130))]
    assert len(await client.listed("parts", EntityIdPrefix="e_212", Limit="50")) == 11


async def test_token_belongs_to_one_listing(client: HostedClient) -> None:
    client.service.fill("parts", 5)
    token = (await client.succeed("list", DbName="parts", Limit="2"))["Token"]
    assert await client.listed("parts", Limit="2", Token=token) == ["e_2", "e_3"]
    for other in ({"Order": "desc"}, {"EntityIdPrefix": "e_"}, {"Offset": "2"}):
        assert await client.refused("list", DbName="parts", Token=token, **other) == "ClientError.IllegalArgument"


async def test_databases_and_images_have_limits(client: HostedClient) -> None:
    client.service.databases.at_most = client.service.databases.capacity = 1
    await client.succeed("create", Name="parts")
    assert await client.refused("create", Name="tools") == "ClientError.IllegalArgument"
    await client.add("parts", "one", url := client.host(jpeg()))
    form = {"DbName": "parts", "EntityId": "two", "ExtraData": "", "ImageUrl": url}
    assert await client.refused("add", **form) == "ClientError.IllegalArgument"


async def test_runs_as_a_process(client: HostedClient) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.hosted", "--app-key", "k", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(4)]
        settings = dict(line.split("=", 1) for line in lines)
        url = f"{settings['SHOWAPI_BASE_URL']}/2475-2"
        answer = await client.client.post(url, params={"appKey": "k"}, data={"ds_id": settings["SHOWAPI_DS_ID"]})
        assert answer.json()["showapi_res_body"]["Data"] == {"DbList": []}
    finally:
        process.terminate()
        await process.wait()
