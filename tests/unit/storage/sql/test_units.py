"""Units of work: atomic in every failure, and never deadlocked."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.errors import DatabaseExists
from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.sql.units import TEAM, GaveUpError, in_a_unit, key, names


async def test_unit_commits_all_writes(storage: SqlStorage) -> None:
    async with storage.unit():
        await storage.catalogue.create_database(key("one"))
        await storage.vectors.write(lambda rows: rows.create(key("one")))
        await storage.catalogue.create_database(key("two"))
    assert await names(storage) == ["one", "two"]


async def test_failed_unit_is_rolled_back(storage: SqlStorage) -> None:
    async def fail() -> None:
        await storage.catalogue.create_database(key("one"))
        await storage.vectors.write(lambda rows: rows.create(key("one")))
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, fail)
    assert await names(storage) == []
    assert await storage.vectors.read(lambda rows: rows.names(TEAM)) == ()


async def test_only_reads_inside_a_unit_see_its_writes(storage: SqlStorage) -> None:
    outside: list[list[str]] = []

    async def look_from_outside() -> None:
        outside.append(await names(storage))

    # Created before the unit, so that it is not part of it.
    gate = asyncio.Event()

    async def wait_and_look() -> None:
        await gate.wait()
        await look_from_outside()

    watcher = asyncio.create_task(wait_and_look())
    async with storage.unit():
        assert await names(storage) == []
        await storage.catalogue.create_database(key("one"))
        assert await names(storage) == ["one"]
        gate.set()
        await watcher
    assert outside == [[]]
    assert await names(storage) == ["one"]


async def test_inner_unit_joins_the_outer_one(storage: SqlStorage) -> None:
    async def inner_then_fail() -> None:
        await in_a_unit(storage, lambda: storage.catalogue.create_database(key("one")))
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, inner_then_fail)
    assert await names(storage) == []


async def test_concurrent_writes_in_one_unit_are_all_committed(storage: SqlStorage) -> None:
    async with storage.unit():
        await asyncio.gather(*(storage.catalogue.create_database(key(f"db_{number}")) for number in range(10)))
    assert len(await names(storage)) == 10


async def test_concurrent_units_are_all_committed(storage: SqlStorage) -> None:
    async def two(number: int) -> None:
        async with storage.unit():
            await storage.catalogue.create_database(key(f"a_{number}"))
            await asyncio.sleep(0)
            await storage.catalogue.create_database(key(f"b_{number}"))

    await asyncio.gather(*(two(number) for number in range(20)))
    assert len(await names(storage)) == 40


async def test_task_that_outlives_its_unit_writes_outside_of_it(storage: SqlStorage) -> None:
    gate = asyncio.Event()

    async def late() -> None:
        await gate.wait()
        await storage.catalogue.create_database(key("late"))

    async with storage.unit():
        await storage.catalogue.create_database(key("one"))
        task = asyncio.create_task(late())
    gate.set()
    await task
    assert await names(storage) == ["late", "one"]


async def test_writes_continue_after_a_failed_unit(storage: SqlStorage) -> None:
    await storage.catalogue.create_database(key("one"))

    async def again() -> None:
        await storage.catalogue.create_database(key("two"))
        await storage.catalogue.create_database(key("one"))

    with pytest.raises(DatabaseExists):
        await in_a_unit(storage, again)
    await storage.catalogue.create_database(key("three"))
    assert await names(storage) == ["one", "three"]


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.003, 0.01, 0.03])
async def test_cancelled_unit_is_rolled_back_and_releases_the_writer(storage: SqlStorage, delay: float) -> None:
    async def slow() -> None:
        async with storage.unit():
            for number in range(1000):
                await storage.catalogue.create_database(key(f"db_{number}"))

    task = asyncio.create_task(slow())
    await asyncio.sleep(delay)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(storage.catalogue.create_database(key("after")), 5)
    assert await names(storage) == ["after"]
