"""The hosted service's client against the fake service: every operation with every field."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.showapi.http.client import ShowApiClient
from bot.domain.errors import BackendGarbled, BackendLost
from tests.contract.hosted.clients import open_client
from tests.fakes.hosted import APP_KEY, DS_ID, HostedService
from tests.fakes.hosted import misbehaviours as bad
from tests.fakes.web import WebServer

NOTE = "阀门 100% & “more”; ünïcödé?"


async def test_databases_are_created_listed_and_deleted(show_api: ShowApiClient, service: HostedService) -> None:
    await show_api.create_database("parts")
    await show_api.create_database("tools")
    assert await show_api.databases() == ("parts", "tools")
    await show_api.delete_database("parts")
    assert service.names == ["tools"]
    assert {call.query["appKey"] for call in service.calls} == {APP_KEY}
    assert {call.form["ds_id"] for call in service.calls} == {DS_ID}


async def test_image_fields_round_trip(show_api: ShowApiClient, service: HostedService, web: WebServer) -> None:
    await show_api.create_database("parts")
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    given = await show_api.add_image("parts", "valve_1", NOTE, web.url("/0"))
    (stored,) = service.images_of("parts")
    assert (stored.data_id, stored.entity, stored.extra, stored.url) == (given, "valve_1", NOTE, web.url("/0"))

    page = await show_api.images("parts")
    (row,) = page.rows
    assert (page.total, row.entity, row.data_id, row.extra) == (1, "valve_1", given, NOTE)
    assert row.created_at is not None
    assert before <= row.created_at <= datetime.now(UTC)
    assert row.updated_at == row.created_at

    (match,) = await show_api.search("parts", web.url("/0"), 10)
    assert (match.entity, match.score, match.data_id) == ("valve_1", 10.0, given)
    assert (match.extra, match.image_url) == (NOTE, web.url("/0"))

    await show_api.delete_images("parts", "valve_1")
    await show_api.delete_images("parts", "valve_1")
    assert service.images_of("parts") == ()


async def test_returns_as_many_matches_as_requested(
    show_api: ShowApiClient, service: HostedService, web: WebServer
) -> None:
    await show_api.create_database("parts")
    for number in range(4):
        await show_api.add_image("parts", f"e_{number}", "", web.url(f"/{number}"))
    matches = await show_api.search("parts", web.url("/3"), 2)
    assert len(matches) == 2
    assert max(matches, key=lambda match: match.score).entity == "e_3"
    assert service.calls_of("search")[0].form["Limit"] == "2"


async def test_listing_by_order_prefix_offset_and_limit(show_api: ShowApiClient, service: HostedService) -> None:
    service.fill("parts", 20)
    service.fill("parts", 3, "other_")
    page = await show_api.images("parts", offset=2, limit=3, newest_first=True, prefix="e_")
    assert [row.entity for row in page.rows] == ["e_17", "e_16", "e_15"]
    assert page.total == 20
    page = await show_api.images("parts", token=page.token, limit=2, newest_first=True, prefix="e_")
    assert [row.entity for row in page.rows] == ["e_14", "e_13"]
    assert service.calls[-1].form.keys() == {"ds_id", "DbName", "Token", "Limit", "Order", "EntityIdPrefix"}
    assert [row.entity for row in (await show_api.images("parts", newest_first=False, limit=1)).rows] == ["e_0"]


@pytest.mark.parametrize("count", [0, 1, 100, 150, 1999, 2000, 2001, 2500])
async def test_all_images_are_listed_by_offset_and_token(
    show_api: ShowApiClient, service: HostedService, count: int
) -> None:
    service.fill("parts", 7, "other_")
    service.fill("parts", count)
    listed = [row.entity async for row in show_api.all_images("parts", "e_")]
    assert listed == [f"e_{number}" for number in range(count)]
    assert len(service.calls) <= count // 100 + 2
    by_token = [call for call in service.calls_of("list") if "Token" in call.form]
    assert bool(by_token) == (count >= 2000)
    assert not any("Offset" in call.form for call in by_token)


async def test_truncated_listing_raises_an_error(show_api: ShowApiClient, service: HostedService) -> None:
    service.fill("parts", 2100)
    service.always("list", bad.without("Token"))
    with pytest.raises(BackendGarbled):
        _ = [row async for row in show_api.all_images("parts")]


async def test_image_added_during_a_listing_does_not_affect_it(show_api: ShowApiClient, service: HostedService) -> None:
    service.fill("parts", 2050)
    listed = []
    async for row in show_api.all_images("parts"):
        if row.entity in {"e_50", "e_1990"}:
            service.fill("parts", 1, f"late_{row.entity}_")
        listed.append(row.entity)
    assert listed[:2050] == [f"e_{number}" for number in range(2050)]
    assert len(listed) == 2052


@pytest.mark.parametrize(
    "text", ["The specified argument is illegal.", "数据库 parts 不存在", "database parts not found"]
)
@pytest.mark.parametrize("in_remarks", [True, False])
async def test_missing_database_raises_backend_lost(
    show_api: ShowApiClient, service: HostedService, web: WebServer, *, text: str, in_remarks: bool
) -> None:
    code = "ClientError.IllegalArgument"
    service.always(None, bad.in_remark(code, text) if in_remarks else bad.upstream(code, text=text))
    service.always("databases", bad.altered(lambda answer: None))
    calls = [
        show_api.add_image("parts", "e", "", web.url("/0")),
        show_api.images("parts"),
        show_api.search("parts", web.url("/0"), 1),
        show_api.delete_images("parts", "e"),
        show_api.delete_database("parts"),
    ]
    for call in calls:
        with pytest.raises(BackendLost) as caught:
            await call
        assert not caught.value.may_have_been_done


async def test_calls_respect_the_rate_limit(web: WebServer) -> None:
    async with HostedService(calls_per_s=20) as service, open_client(service, calls_per_s=20) as show_api:
        begun = time.monotonic()
        await asyncio.gather(*(show_api.databases() for _ in range(25)))
        assert time.monotonic() - begun >= 24 / 20
        assert len(service.calls) <= 27, "hardly any was throttled"


async def test_calls_over_the_rate_limit_wait_and_succeed() -> None:
    async with HostedService(calls_per_s=4) as service, open_client(service, throttled_pause_s=1.0) as show_api:
        await asyncio.gather(*(show_api.databases() for _ in range(6)))
        service.over_limit = bad.gateway(-1009)
        await asyncio.gather(*(show_api.databases() for _ in range(6)))
