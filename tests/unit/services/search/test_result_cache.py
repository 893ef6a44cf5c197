"""The result cache: which results are cached, for how long, and how concurrent searches share one run."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta

import pytest

from bot.domain.errors import BackendDown, BackendTimeout, UnknownDatabase
from bot.domain.identifiers import DataId, EntityId, Note
from bot.domain.matches import Caveat, Match, Matches
from bot.services.search.result_cache import CachedMatches, NullResultCache, TtlResultCache, new_result_cache
from bot.telemetry.metrics import NullMetrics
from tests.fakes.clock import BEGINNING, Clock


class CountingMetrics(NullMetrics):
    def __init__(self) -> None:
        self.hits: list[bool] = []

    def cache(self, hit: bool) -> None:
        self.hits.append(hit)


class Searches:
    """A search that counts its runs and waits for the gate."""

    def __init__(self, gated: bool = False, caveats: Collection[Caveat] = ()) -> None:
        self.done = 0
        self.caveats = caveats
        self.gate = asyncio.Event()
        self.errors: list[BaseException] = []
        if not gated:
            self.gate.set()

    async def __call__(self) -> Matches:
        self.done += 1
        number = self.done
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        return Matches([Match(DataId(f"d{number}"), EntityId("valve"), Note(), 9.0)], self.caveats)


class Harness:
    def __init__(self, size: int = 10) -> None:
        self.clock = Clock()
        self.metrics = CountingMetrics()
        self.results = TtlResultCache(60, size, self.metrics, self.clock)


async def _start_together(harness: Harness, search: Searches, count: int) -> list[asyncio.Task[CachedMatches]]:
    tasks = [asyncio.create_task(harness.results.get("key", search)) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_cached_result_has_its_time() -> None:
    harness, search = Harness(), Searches()
    first = await harness.results.get("key", search)
    harness.clock.now += timedelta(seconds=59)
    second = await harness.results.get("key", search)
    assert first.cached_at is None
    assert second == CachedMatches(first.matches, BEGINNING)
    assert search.done == 1
    assert harness.metrics.hits == [False, True]


async def test_result_expires_after_the_ttl() -> None:
    harness, search = Harness(), Searches()
    await harness.results.get("key", search)
    harness.clock.now += timedelta(seconds=60)
    assert (await harness.results.get("key", search)).cached_at is None
    assert search.done == 2


async def test_empty_result_is_cached() -> None:
    harness, calls = Harness(), 0

    async def nothing() -> Matches:
        nonlocal calls
        calls += 1
        return Matches()

    await harness.results.get("key", nothing)
    assert (await harness.results.get("key", nothing)).cached_at == BEGINNING
    assert calls == 1


async def test_different_keys_run_separate_searches() -> None:
    harness, search = Harness(), Searches()
    for key in (("T1", "parts", 1), ("T1", "parts", 2), ("T2", "parts", 1)):
        await harness.results.get(key, search)
    assert search.done == 3


async def test_cache_size_is_limited() -> None:
    harness, search = Harness(size=2), Searches()
    for key in ("a", "b", "c", "b", "c"):
        await harness.results.get(key, search)
    assert search.done == 3
    await harness.results.get("a", search)
    assert search.done == 4


async def test_equal_concurrent_searches_run_once() -> None:
    harness, search = Harness(), Searches(gated=True)
    tasks = await _start_together(harness, search, 5)
    search.gate.set()
    answers = await asyncio.gather(*tasks)
    assert search.done == 1
    assert len(set(answers)) == 1
    assert answers[0].cached_at is None
    assert harness.metrics.hits == [False, True, True, True, True]


async def test_failure_reaches_all_waiters_as_separate_errors_and_is_not_cached() -> None:
    harness, search = Harness(), Searches(gated=True)
    search.errors = [BackendTimeout("too slow")]
    tasks = await _start_together(harness, search, 3)
    search.gate.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in errors] == [BackendTimeout] * 3
    assert [str(error) for error in errors] == ["too slow"] * 3
    assert len({id(error) for error in errors}) == 3
    assert search.done == 1
    assert (await harness.results.get("key", search)).cached_at is None
    assert search.done == 2


async def test_unexpected_error_reaches_only_the_task_that_searched() -> None:
    harness, search = Harness(), Searches(gated=True)
    search.errors = [UnknownDatabase("parts")]
    tasks = await _start_together(harness, search, 3)
    search.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[0], UnknownDatabase)
    assert all(isinstance(answer, CachedMatches) for answer in answers[1:])
    assert search.done == 2


async def test_waiter_searches_after_the_first_task_is_cancelled() -> None:
    harness, search = Harness(), Searches(gated=True)
    leader, *others = await _start_together(harness, search, 4)
    leader.cancel()
    search.gate.set()
    answers = await asyncio.gather(*others)
    assert leader.cancelled()
    assert len({answer.matches for answer in answers}) == 1
    assert search.done == 2
    assert harness.metrics.hits == [False, False, True, True]


async def test_cancelled_waiter_does_not_affect_others() -> None:
    harness, search = Harness(), Searches(gated=True)
    leader, follower, other = await _start_together(harness, search, 3)
    follower.cancel()
    await asyncio.sleep(0)
    search.gate.set()
    assert (await leader).matches == (await other).matches
    assert follower.cancelled()
    assert search.done == 1


async def test_incomplete_result_is_shared_with_waiters_but_not_cached() -> None:
    harness, search = Harness(), Searches(gated=True, caveats=[Caveat.SAME_IMAGES_ONLY])
    tasks = await _start_together(harness, search, 3)
    search.gate.set()
    answers = await asyncio.gather(*tasks)
    assert search.done == 1
    assert all(answer.matches.caveats == {Caveat.SAME_IMAGES_ONLY} for answer in answers)
    search.caveats = []
    assert not (await harness.results.get("key", search)).matches.caveats
    assert search.done == 2
    assert (await harness.results.get("key", search)).cached_at == BEGINNING
    assert search.done == 2


async def test_crowded_out_result_is_cached() -> None:
    harness, search = Harness(), Searches(caveats=[Caveat.CROWDED_OUT])
    await harness.results.get("key", search)
    kept = await harness.results.get("key", search)
    assert kept.cached_at == BEGINNING
    assert kept.matches.caveats == {Caveat.CROWDED_OUT}


async def test_ttl_of_zero_disables_the_cache() -> None:
    metrics, search = CountingMetrics(), Searches()
    results = new_result_cache(0, 10, metrics)
    assert isinstance(results, NullResultCache)
    await results.get("key", search)
    assert (await results.get("key", search)).cached_at is None
    assert search.done == 2
    assert metrics.hits == []
    assert isinstance(new_result_cache(1, 10, metrics), TtlResultCache)


async def test_null_cache_passes_errors_through() -> None:
    search = Searches()
    search.errors = [BackendDown("gone")]
    with pytest.raises(BackendDown, match="gone"):
        await NullResultCache().get("key", search)
