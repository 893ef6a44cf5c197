"""Retries, rate limits and time limits of the hosted service's client."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

import httpx
import pytest

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.adapters.showapi.http.resilience import RateLimiter, RetryPolicy
from bot.domain.errors import (
    BackendDown,
    BackendError,
    BackendGarbled,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
)
from tests.unit.adapters.showapi.responses import (
    ACCOUNT,
    CALLS,
    EVERYTHING,
    KEY,
    QUICK,
    URL,
    Answer,
    Hanging,
    client,
    fail,
    good,
    plain,
    upstream,
    wrapped,
)

READS = ["databases", "images", "search"]
DELETES = ["delete_database", "delete_images"]
NOT_IDEMPOTENT = ["create_database", "add_image"]

UNCERTAIN: list[Answer] = [
    httpx.ReadTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("hung up"),
    httpx.WriteError("broken pipe"),
    wrapped({}, -3),
    upstream("InternalError.Timeout", 500),
    plain("<html>", 502),
    plain("", 591),
]
CERTAINLY_NOT: list[Answer] = [
    httpx.ConnectError("refused"),
    upstream("Throttling"),
    wrapped({}, -1009),
    plain("", 429),
]
PERMANENT: list[Answer] = [
    upstream("InternalError.Algo", 586),
    plain("", 586),
    plain("<html>"),
    wrapped({}),
    wrapped({}, -2),
    wrapped({}, -1010),
    wrapped({}, -1000),
    upstream("IllegalUrlParameter"),
    plain("", 404),
]


async def _calls_until_it_works(call: str, *answers: Answer) -> int:
    """Return the number of attempts until success, or 0 if the failed call was not retried."""
    async with client(*answers, EVERYTHING) as (service, service_side):
        try:
            await CALLS[call](service)
        except BackendError:
            # A further request, if any, is the check of the listing.
            assert service_side.numbers.count(service_side.numbers[0]) == 1
            return 0
        return len(service_side.asked)


@pytest.mark.parametrize("answer", UNCERTAIN)
async def test_uncertain_failures_are_retried_only_if_idempotent(answer: Answer) -> None:
    for call in READS + DELETES:
        assert await _calls_until_it_works(call, answer, answer) == 3, call
    for call in NOT_IDEMPOTENT:
        assert await _calls_until_it_works(call, answer) == 0, call


@pytest.mark.parametrize("answer", CERTAINLY_NOT)
async def test_calls_that_were_certainly_not_done_are_retried(answer: Answer) -> None:
    for call in CALLS:
        assert await _calls_until_it_works(call, answer, answer) == 3, call


@pytest.mark.parametrize("answer", PERMANENT)
async def test_permanent_failures_are_not_retried(answer: Answer) -> None:
    for call in CALLS:
        assert await _calls_until_it_works(call, answer) == 0, call


async def test_last_error_is_raised_after_three_attempts() -> None:
    async with client(plain("", 502), plain("", 502), upstream("InternalError.Timeout", 500)) as (
        service,
        service_side,
    ):
        with pytest.raises(BackendTimeout):
            await service.databases()
        assert len(service_side.asked) == 3


async def test_doubt_from_an_earlier_attempt_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with client(httpx.ReadTimeout("slow"), upstream("Throttling")) as (service, _):
        with pytest.raises(BackendThrottled) as caught:
            await service.delete_images("parts", "e_1")
    assert caught.value.may_have_been_done
    levels = [record.levelname for record in caplog.records if record.name.startswith("bot")]
    assert levels == ["INFO", "INFO", "WARNING"]


async def test_missing_database_after_a_lost_response_counts_as_deleted() -> None:
    gone = upstream("ClientError.IllegalArgument", text="The database parts does not exist.")
    async with client(httpx.ReadTimeout("slow"), gone) as (service, service_side):
        await service.delete_database("parts")
        assert service_side.numbers == "66"
    async with client(httpx.ReadTimeout("slow"), upstream("ClientError.IllegalArgument"), good({"DbList": []})) as (
        service,
        service_side,
    ):
        await service.delete_database("parts")
        assert service_side.numbers == "662"
    async with client(gone) as (service, _):
        with pytest.raises(BackendError):
            await service.delete_database("parts")


async def test_pauses_follow_the_policy() -> None:
    retry_policy = replace(QUICK, pause_s=0.05, throttled_pause_s=0.3)
    for answer, least in ((plain("", 502), 0.15), (upstream("Throttling"), 0.6)):
        async with client(answer, answer, EVERYTHING, retry_policy=retry_policy) as (service, _):
            begun = time.monotonic()
            await service.databases()
            assert least <= time.monotonic() - begun < 2 * least + 1
    assert RetryPolicy().throttled_pause_s > 1


async def test_call_with_little_time_left_is_not_retried() -> None:
    async with client(plain("", 502), retry_policy=replace(QUICK, last_start_s=QUICK.overall_s)) as (
        service,
        service_side,
    ):
        with pytest.raises(BackendDown):
            await service.databases()
        assert len(service_side.asked) == 1


async def test_calls_are_spaced_without_bursts() -> None:
    account = ShowApiAccount("https://hosted.example", KEY, "ds-7", calls_per_s=20)
    async with client(EVERYTHING, account=account) as (service, _):
        begun = time.monotonic()
        await asyncio.gather(*(service.databases() for _ in range(6)))
        assert 5 / 20 <= time.monotonic() - begun < 2
    turns = RateLimiter(0.5)
    loop = asyncio.get_running_loop()
    assert await turns.acquire(loop.time() + 1)
    assert not await turns.acquire(loop.time() + 0.01)


async def test_rate_limited_calls_fail_without_a_request() -> None:
    account = ShowApiAccount("https://hosted.example", KEY, "ds-7", calls_per_s=0.1)
    async with client(EVERYTHING, account=account, retry_policy=replace(QUICK, overall_s=0.1)) as (
        service,
        service_side,
    ):
        await service.databases()
        with pytest.raises(BackendThrottled, match=r"not sent within the limit of 0\.1 calls a second") as caught:
            await service.add_image("parts", "e", "", URL)
        assert not caught.value.may_have_been_done
        assert len(service_side.asked) == 1
        assert not service.is_down


async def test_attempts_and_calls_have_timeouts() -> None:
    hanging = Hanging()
    service = ShowApiClient(ACCOUNT, transport=hanging, retry_policy=replace(QUICK, attempt_s=0.15, overall_s=0.4))
    begun = time.monotonic()
    with pytest.raises(BackendTimeout) as caught:
        await service.databases()
    assert caught.value.may_have_been_done
    assert 0.15 <= time.monotonic() - begun < 1
    assert 2 <= hanging.asked <= 3
    await service.close()


async def test_repeated_errors_keep_their_class() -> None:
    async with client(plain("<html>")) as (service, _):
        await fail(service, 1, BackendGarbled)
    async with client(plain("", 404)) as (service, _):
        await fail(service, 1, BackendRefused)
