"""The circuit breaker: a service that keeps failing gets no calls until it answers a probe."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import httpx
import pytest

from bot.adapters.showapi.http.client import ShowApiClient
from bot.domain.errors import (
    BackendDown,
    BackendQuota,
)
from tests.fakes.jobs import eventually
from tests.unit.adapters.showapi.responses import (
    ACCOUNT,
    CALLS,
    EVERYTHING,
    QUICK,
    URL,
    Answer,
    Counting,
    Hanging,
    client,
    fail,
    plain,
    upstream,
    wrapped,
)


def _down(service: ShowApiClient) -> bool:
    return service.is_down


PATIENT = replace(QUICK, probe_after_s=30)


@pytest.mark.parametrize("answer", [plain("", 502), plain("<html>"), httpx.ReadTimeout("slow"), wrapped({}, -6)])
async def test_five_failures_in_a_row_open_the_circuit(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    async with client(answer, retry_policy=PATIENT) as (service, service_side):
        await fail(service, 4)
        assert not _down(service)
        await fail(service, 1)
        assert _down(service)
        assert "the image search failed 5 times in a row" in caplog.text
        for call in CALLS.values():
            with pytest.raises(BackendDown, match="no calls until it answers a probe") as caught:
                await call(service)
            assert not caught.value.may_have_been_done
        assert len(service_side.asked) == 5


@pytest.mark.parametrize(
    "answer", [wrapped({}, -2), plain("", 404), upstream("Throttling"), upstream("AuthFailed", 403)]
)
async def test_refusals_do_not_open_the_circuit(answer: Answer) -> None:
    bad = plain("", 502)
    async with client(bad, bad, bad, bad, answer, answer, answer, bad, bad, retry_policy=PATIENT) as (service, _):
        await fail(service, 8)
        assert not service.is_down


async def test_each_attempt_counts_and_an_open_circuit_stops_retries() -> None:
    async with client(plain("", 502), retry_policy=PATIENT) as (service, service_side):
        for _ in range(2):
            with pytest.raises(BackendDown, match="HTTP 502"):
                await service.databases()
        assert len(service_side.asked) == 5
        assert service.is_down


async def test_open_circuit_probes_until_the_service_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with client(*[plain("", 502)] * 7, EVERYTHING) as (service, service_side):
        await fail(service, 5)
        caplog.clear()
        async with asyncio.timeout(5):
            while service.is_down:
                with pytest.raises(BackendDown, match="no calls until it answers a probe"):
                    await service.search("parts", URL, 3)
                await asyncio.sleep(0.002)
        assert service_side.numbers == "11111" + "222"
        levels = [(record.levelname, record.getMessage()[:35]) for record in caplog.records if "bot" in record.name]
        assert levels == [
            ("INFO", "the image search doesn't answer yet"),
            ("INFO", "the image search doesn't answer yet"),
            ("WARNING", "the image search answers again"),
        ]
        await service.create_database("parts")


async def test_refused_probe_closes_the_circuit() -> None:
    async with client(*[plain("", 502)] * 5, wrapped({}, -2)) as (service, _):
        await fail(service, 5)
        await eventually(lambda: not service.is_down)
        await fail(service, 1, BackendQuota)


async def test_close_stops_the_probe() -> None:
    async with client(plain("", 502)) as (service, service_side):
        await fail(service, 5)
        await service.close()
        await asyncio.sleep(0.15)
        assert len(service_side.asked) == 5
    assert [task for task in asyncio.all_tasks() if task.get_name() == "showapi-probe"] == []


async def test_cancelled_calls_do_not_count_as_failures() -> None:
    metrics = Counting()
    hanging = Hanging()
    service = ShowApiClient(ACCOUNT, transport=hanging, metrics=metrics, retry_policy=QUICK)
    for _ in range(6):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await service.databases()
    assert not service.is_down
    assert metrics.calls == [("databases", "given_up")] * 6
    await service.close()


async def test_late_success_of_a_running_call_closes_the_circuit() -> None:
    release = asyncio.Event()

    class Late(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("2"):
                await release.wait()
                return httpx.Response(200, content=EVERYTHING.content)
            return httpx.Response(502)

    service = ShowApiClient(ACCOUNT, transport=Late(), retry_policy=PATIENT)
    late = asyncio.create_task(service.databases())
    await asyncio.sleep(0)
    await fail(service, 5)
    assert _down(service)
    release.set()
    assert await late == ("parts",)
    assert not _down(service)
    await service.close()
