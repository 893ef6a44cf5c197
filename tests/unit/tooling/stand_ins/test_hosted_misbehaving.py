"""The planned failures of the stand-in for the hosted service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.fakes.hosted import APP_KEY, DS_ID
from tests.fakes.hosted import misbehaviours as bad
from tests.fakes.jobs import eventually
from tests.unit.tooling.stand_ins.hosted_client import HostedClient, hosted_client, jpeg


@pytest.fixture
async def client() -> AsyncIterator[HostedClient]:
    async with hosted_client() as it:
        yield it


async def test_new_image_can_be_hidden_for_some_listings_or_seconds(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")
    url = client.host(jpeg())
    client.service.hide_new_images(listings=2)
    await client.add("parts", "one", url)
    assert [await client.listed("parts") for _ in range(3)] == [[], [], ["one"]]
    client.service.hide_new_images(seconds=1)
    await client.add("parts", "two", url)
    assert await client.listed("parts") == ["one"]
    assert len(client.service.images_of("parts")) == 2
    await asyncio.sleep(1.05)
    assert await client.listed("parts") == ["one", "two"]


async def test_too_many_calls_are_throttled(client: HostedClient) -> None:
    client.service.calls_per_s = 2
    answers = [await client.request("databases") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert answers[2].json()["Code"] == "Throttling"
    client.service.over_limit = bad.gateway(-1009)
    assert await client.refused("databases") == -1009


async def test_misbehaviour_is_planned_for_one_call_or_for_all(client: HostedClient) -> None:
    client.service.next("databases", bad.gateway(-7), bad.gateway("-2"), bad.upstream("InternalError.Algo", 586))
    assert await client.refused("databases") == -7
    assert await client.refused("databases") == "-2"
    assert (await client.request("databases")).status_code == 586
    await client.succeed("databases")
    client.service.always(None, bad.html(502))
    assert "<html>" in (await client.request("databases")).text
    assert (await client.request("create", Name="parts")).status_code == 502
    client.service.behave()
    assert await client.succeed("databases") == {"DbList": []}


async def test_work_can_be_done_whatever_the_answer_says(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")
    form = {"DbName": "parts", "EntityId": "one", "ExtraData": "", "ImageUrl": client.host(jpeg())}
    client.service.next("add", bad.html(502), bad.done_then(bad.html(200)), bad.done_then(bad.silent(0.5)))
    assert (await client.request("add", **form)).status_code == 502
    assert client.service.images_of("parts") == ()
    assert "<html>" in (await client.request("add", **form)).text
    with pytest.raises(httpx.ReadTimeout):
        await client.raw("add", data={"ds_id": DS_ID, **form}, timeout=0.2)
    # On a busy machine, the work takes longer than that.
    await eventually(lambda: len(client.service.images_of("parts")) == 2)


async def test_answer_can_be_truncated_slow_or_missing(client: HostedClient) -> None:
    client.service.next("databases", bad.truncated(), bad.hang_up(), bad.slow(0.3), bad.dripping(0.002))
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        await client.request("databases")
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        await client.request("databases")
    start = time.monotonic()
    await client.succeed("databases")
    assert time.monotonic() - start >= 0.3
    await client.succeed("databases")


async def test_answers_come_in_other_formats(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")
    url = client.host(jpeg())
    await client.add("parts", "one", url)
    form = {"DbName": "parts", "ImageUrl": url, "Limit": "10"}
    dresses = [bad.codes_as_text(), bad.fee_in_body(), bad.without_data(), bad.without("EntityId"), bad.empty_body()]
    dresses += [bad.scores_as_text(), bad.scores_not_numbers(), bad.doubled_matches(), bad.strange_matches("two")]
    dresses += [bad.echoing_the_key(), bad.empty()]
    client.service.next("search", *dresses)
    answers = [await client.request("search", **form) for _ in dresses]
    texts = [answer.text for answer in answers]
    assert '"ret_code": "0"' in texts[0]
    assert "showapi_fee_num" in answers[1].json()["showapi_res_body"]
    assert ["MatchList" in text for text in texts[1:5]] == [True, False, True, False]
    assert "EntityId" not in texts[3]
    assert ['"10.0"' in texts[5], "NaN" in texts[6], texts[7].count('"one"'), '"two"' in texts[8]] == [1, 1, 2, 1]
    assert APP_KEY in texts[9]
    assert texts[10] == ""


async def test_service_goes_down_and_comes_up_on_the_same_port(client: HostedClient) -> None:
    await client.succeed("create", Name="parts")
    client.service.always("databases", bad.slow(5))
    waiting = asyncio.create_task(client.request("databases"))
    await eventually(lambda: client.service.calls_of("databases"))
    port = client.service.port
    await client.service.down()
    with pytest.raises(httpx.RemoteProtocolError):
        await waiting
    with pytest.raises(httpx.ConnectError):
        await client.request("databases")
    client.service.behave()
    await client.service.up()
    assert client.service.port == port
    assert await client.succeed("databases") == {"DbList": [{"Name": "parts"}]}
