"""The memory budget: bounded, fair between workspaces, and cancellable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.domain.errors import FetchFailed, FetchTooLarge
from bot.images.fetch import downloads
from bot.images.memory import DownloadMemory, FairBudget, Reservation, expect_bytes, must_isolate, on_behalf_of


def ask(budget: FairBudget, size: int, workspace: str = "T1") -> asyncio.Task[Reservation]:
    with on_behalf_of(workspace):
        return asyncio.create_task(budget.acquire(size))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_the_budget_is_in_use() -> None:
    budget = FairBudget(100)
    asked = [ask(budget, 40) for _ in range(5)]
    await settle()
    assert [task.done() for task in asked] == [True, True, False, False, False]
    assert budget.used == 80
    budget.release(asked[0].result())
    await settle()
    assert asked[2].done()
    assert budget.used == 80


async def test_workspaces_are_served_in_turn() -> None:
    budget, served, start = FairBudget(10), [], asyncio.Event()

    async def use(workspace: str, number: int) -> None:
        with on_behalf_of(workspace):
            async with budget.reserve(10):
                served.append(f"{workspace}{number}")
                await start.wait()

    crowd = [asyncio.create_task(use("A", number)) for number in range(6)]
    await settle()
    late = [asyncio.create_task(use(workspace, 0)) for workspace in "BC"]
    await settle()
    start.set()
    await asyncio.gather(*crowd, *late)
    assert served == ["A0", "A1", "B0", "C0", "A2", "A3", "A4", "A5"]


async def test_small_requests_do_not_overtake_a_large_one() -> None:
    budget = FairBudget(100)
    first = await budget.acquire(60)
    large, small = ask(budget, 90, "A"), ask(budget, 10, "B")
    await settle()
    assert not large.done()
    assert not small.done()
    budget.release(first)
    await settle()
    assert large.done()
    assert small.done()


async def test_request_larger_than_the_budget_gets_all_of_it() -> None:
    budget = FairBudget(100)
    async with budget.reserve(1000) as reservation:
        assert reservation.size == budget.used == 100
    assert budget.used == 0


async def test_one_workspace_leaves_room_for_others() -> None:
    budget = FairBudget(100, max_share=0.5)
    asked = [ask(budget, 25, "A") for _ in range(4)]
    other = ask(budget, 25, "B")
    await settle()
    assert [task.done() for task in asked] == [True, True, False, False]
    assert other.done()


async def test_first_reservation_may_exceed_the_share_of_a_workspace() -> None:
    assert (await FairBudget(100, max_share=0.5).acquire(80)).size == 80


async def test_holders_are_limited() -> None:
    budget = FairBudget(100, max_holders=2)
    asked = [ask(budget, 1) for _ in range(3)]
    await settle()
    assert [task.done() for task in asked] == [True, True, False]
    budget.release(asked[0].result())
    await settle()
    assert asked[2].done()


async def test_cancelled_request_leaves_the_queue() -> None:
    budget = FairBudget(100)
    first = await budget.acquire(100)
    cancelled, waiting = ask(budget, 100), ask(budget, 50)
    await settle()
    cancelled.cancel()
    await settle()
    assert budget.waiting == 1
    budget.release(first)
    budget.release(await waiting)
    assert budget.used == budget.waiting == 0


async def test_many_requests_that_were_cancelled_at_once_leave_the_queue() -> None:
    budget = FairBudget(100)
    first = await budget.acquire(100)
    cancelled = [ask(budget, 100) for _ in range(1000)]
    await settle()
    for task in cancelled:
        task.cancel()
    budget.release(first)
    await asyncio.gather(*cancelled, return_exceptions=True)
    assert budget.used == budget.waiting == 0


async def test_request_cancelled_when_it_is_served_gives_its_memory_back() -> None:
    budget = FairBudget(100)
    first = await budget.acquire(100)
    waiting = ask(budget, 100)
    await settle()
    budget.release(first)  # serves the request, whose task hasn't run yet
    waiting.cancel()
    await settle()
    assert budget.used == 0


async def test_queue_is_bounded_in_length_and_time() -> None:
    budget = FairBudget(10, max_waiting=1, max_wait_s=0.02)
    async with budget.reserve(10):
        waiting = ask(budget, 10)
        await settle()
        with pytest.raises(FetchFailed, match="Too many pictures"):
            await budget.acquire(10)
        with pytest.raises(FetchFailed, match="Too many pictures"):
            await waiting
    assert budget.used == budget.waiting == 0


async def test_shrinking_serves_the_next() -> None:
    budget = FairBudget(100)
    first = await budget.acquire(100)
    waiting = ask(budget, 60)
    await settle()
    first.shrink(30)
    await settle()
    assert waiting.done()
    first.shrink(200)
    assert budget.used == 90


async def test_isolation_is_kept_in_inner_contexts() -> None:
    with on_behalf_of("T1", isolated=True), on_behalf_of("T1"):
        assert must_isolate()
    assert not must_isolate()


async def test_forty_downloads_of_23_mb_stay_within_the_budget() -> None:
    """The reservation comes before the first byte, and shrinks when the server tells the length."""
    memory, held, most = DownloadMemory(115, 25), 0, 0

    async def download() -> None:
        nonlocal held, most
        async with memory.hold():
            expect_bytes(23)
            held += 23
            most = max(most, held)
            assert held <= memory.used <= 115
            await asyncio.sleep(0.001)
            held -= 23

    await asyncio.gather(*(download() for _ in range(40)))
    assert 23 < most <= 115
    assert memory.used == 0


async def test_slow_downloads_of_one_workspace_leave_room_for_another() -> None:
    memory, release = DownloadMemory(115, 25), asyncio.Event()

    async def slow() -> None:
        with on_behalf_of("T0SLOW"):
            async with memory.hold():
                await release.wait()

    crowd = [asyncio.create_task(slow()) for _ in range(20)]
    await settle()
    with on_behalf_of("T0OTHER"):
        async with asyncio.timeout(1), memory.hold():
            pass
    release.set()
    await asyncio.gather(*crowd)


@pytest.mark.parametrize("declared", [True, False])
async def test_download_keeps_only_what_the_file_needs(declared: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a" * 40
        yield b"b" * 20

    headers = {"content-length": "60"} if declared else {}
    memory = DownloadMemory(1000, 500)
    server = downloads.Server("The server", "try again")
    async with memory.hold():
        assert memory.used == 500
        response = httpx.Response(200, headers=headers, content=body())
        assert await downloads.read_response(response, server, 500) == b"a" * 40 + b"b" * 20
        assert memory.used == 60
        with pytest.raises(FetchTooLarge):
            await downloads.read_response(httpx.Response(200, content=body()), server, 50)
