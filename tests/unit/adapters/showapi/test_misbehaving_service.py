"""The client of the hosted service against a real socket with all kinds of faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.domain.errors import BackendDown, BackendError, BackendGarbled, BackendRefused, BackendTimeout
from tests.fakes.hosted import APP_KEY, DS_ID, HostedService
from tests.fakes.hosted import misbehaviours as bad
from tests.unit.adapters.showapi.responses import QUICK, URL, echoing


@pytest.fixture
async def hosted() -> AsyncIterator[HostedService]:
    async with HostedService() as it:
        yield it


@pytest.fixture
async def service(hosted: HostedService) -> AsyncIterator[ShowApiClient]:
    client = ShowApiClient(ShowApiAccount(hosted.base_url, APP_KEY, DS_ID, 10_000), retry_policy=QUICK)
    yield client
    await client.close()


async def test_calls_succeed_while_the_service_is_healthy(hosted: HostedService, service: ShowApiClient) -> None:
    await service.create_database("parts")
    assert await service.databases() == ("parts",)
    hosted.fill("parts", 2345)
    rows = [row async for row in service.all_images("parts", prefix="e_")]
    assert [row.entity for row in rows] == [f"e_{number}" for number in range(2345)]
    assert all(row.created_at and row.data_id for row in rows)
    page = await service.images("parts", offset=5, limit=2, newest_first=True)
    assert ([row.entity for row in page.rows], page.total) == (["e_2339", "e_2338"], 2345)
    await service.delete_images("parts", "e_7")
    assert len(hosted.images_of("parts")) == 2344
    await service.delete_database("parts")
    assert hosted.names == []


async def _fails(hosted: HostedService, service: ShowApiClient, how: bad.Misbehaviour) -> BackendError:
    hosted.always("add", how)
    begun = time.monotonic()
    with pytest.raises(BackendError) as caught:
        await service.add_image("parts", "e", "", URL)
    assert time.monotonic() - begun < 2
    return caught.value


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (bad.truncated(), BackendGarbled),
        (bad.hang_up(), BackendDown),
        (bad.slow(3), BackendTimeout),
        (bad.silent(3), BackendTimeout),
        (bad.html(), BackendGarbled),
        (bad.html(502), BackendDown),
        (bad.empty(), BackendGarbled),
        (bad.empty_body(), BackendGarbled),
        (bad.upstream("InternalError.Algo", 586), BackendDown),
    ],
)
async def test_uncertain_outcomes_are_flagged(
    hosted: HostedService, service: ShowApiClient, how: bad.Misbehaviour, kind: type[BackendError]
) -> None:
    error = await _fails(hosted, service, how)
    assert type(error) is kind
    assert error.may_have_been_done
    assert len(hosted.calls_of("add")) == 1


async def test_slow_response_times_out(hosted: HostedService, service: ShowApiClient) -> None:
    hosted.always("create", bad.dripping(0.05))
    begun = time.monotonic()
    with pytest.raises(BackendTimeout) as caught:
        await service.create_database("parts")
    assert QUICK.attempt_s <= time.monotonic() - begun < QUICK.attempt_s + 1
    assert caught.value.may_have_been_done
    assert hosted.names == ["parts"]


async def test_reads_succeed_after_an_outage(hosted: HostedService, service: ShowApiClient) -> None:
    for how in (bad.hang_up(), bad.html(503), bad.throttled(), bad.slow(0.8), bad.gateway(-3)):
        hosted.next("databases", how)
        assert await service.databases() == ()


async def test_alternative_answer_formats_are_parsed(hosted: HostedService, service: ShowApiClient) -> None:
    hosted.next("databases", bad.codes_as_text(), bad.fee_in_body())
    assert await service.databases() == ()
    assert await service.databases() == ()


async def test_stopped_service_did_nothing_and_is_used_again_after_a_restart(
    hosted: HostedService, service: ShowApiClient
) -> None:
    await hosted.down()
    with pytest.raises(BackendDown) as caught:
        await service.create_database("parts")
    assert not caught.value.may_have_been_done
    with pytest.raises(BackendDown):
        await service.databases()
    assert service.is_down
    await hosted.up()
    async with asyncio.timeout(5):
        await _until_up(service)
    await service.create_database("parts")


async def _until_up(service: ShowApiClient) -> None:
    while service.is_down:  # noqa: ASYNC110 - the client sends no event
        await asyncio.sleep(0.01)


async def test_compressed_response_is_not_decompressed() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    async with echoing(answer) as url:
        service = ShowApiClient(ShowApiAccount(url, APP_KEY, DS_ID, 1000), retry_policy=QUICK)
        with pytest.raises(BackendGarbled, match="compressed"):
            await service.databases()
        await service.close()


async def test_endless_response_is_refused() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    async with echoing(head + b" " * 9_000_000) as url:
        retry_policy = replace(QUICK, read_s=3, attempt_s=3)
        service = ShowApiClient(ShowApiAccount(url, APP_KEY, DS_ID, 1000), retry_policy=retry_policy)
        with pytest.raises(BackendGarbled, match="more than 8,000,000 bytes"):
            await service.databases()
        await service.close()


async def test_response_other_than_http_is_backend_down() -> None:
    async with echoing(b"SSH-2.0-OpenSSH_9.9\r\n") as url:
        service = ShowApiClient(ShowApiAccount(url, APP_KEY, DS_ID, 1000), retry_policy=QUICK)
        with pytest.raises(BackendDown):
            await service.databases()
        await service.close()


async def test_wrong_key_is_refused(hosted: HostedService) -> None:
    service = ShowApiClient(ShowApiAccount(hosted.base_url, "another-key", DS_ID, 1000), retry_policy=QUICK)
    with pytest.raises(BackendRefused, match=r"-1010 \(unknown key\)"):
        await service.databases()
    await service.close()
