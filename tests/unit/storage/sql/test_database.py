"""Database: hooks after commit and rollback, separate writes, and errors without parameters."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import DBAPIError

from bot.domain.errors import BackendDown
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import keys
from bot.storage.sql_storage import SqlStorage
from tests.fakes.jobs import LONG_S, eventually
from tests.unit.storage.sql.units import GaveUpError, in_a_unit, key, names


@pytest.fixture
def database(storage: SqlStorage) -> Database:
    return storage._database


async def test_failure_of_a_cancelled_write_is_not_logged_by_asyncio(database: Database) -> None:
    printed: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: printed.append(context["message"]))
    begun, go_on = threading.Event(), threading.Event()

    def fail(_: Connection) -> None:
        begun.set()
        go_on.wait(5)
        raise GaveUpError

    task = asyncio.create_task(database.write(fail))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    # The event loop drops its references to finished callbacks in its next iteration.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert printed == []


async def test_commit_hooks_run_only_after_a_commit(storage: SqlStorage, database: Database) -> None:
    seen: list[list[str]] = []

    async def follow() -> None:
        seen.append(await names(storage))

    async def fail() -> None:
        await database.after_commit(follow)
        raise GaveUpError

    async with storage.unit():
        await database.after_commit(follow)
        await storage.catalogue.create_database(key("one"))
        assert seen == []
    assert seen == [["one"]]
    with pytest.raises(GaveUpError):
        await in_a_unit(storage, fail)
    assert len(seen) == 1
    await database.after_commit(follow)
    assert len(seen) == 2


async def test_rollback_hooks_run_only_after_a_rollback(storage: SqlStorage, database: Database) -> None:
    seen: list[list[str]] = []

    async def follow() -> None:
        # These writes are outside of the unit, so they are not rolled back.
        await storage.catalogue.create_database(key(f"hook_{len(seen)}"))
        seen.append(await names(storage))

    async def fail() -> None:
        await database.after_rollback(follow)
        await storage.catalogue.create_database(key("one"))
        raise GaveUpError

    async with storage.unit():
        await database.after_rollback(follow)
        await storage.catalogue.create_database(key("kept"))
    await database.after_rollback(follow)
    assert seen == []
    with pytest.raises(GaveUpError):
        await in_a_unit(storage, fail)
    assert seen == [["hook_0", "kept"]]


async def test_failed_deferred_work_runs_rollback_hooks(storage: SqlStorage, database: Database) -> None:
    seen: list[str] = []

    async def follow() -> None:
        seen.append("rolled back")

    def refuse(_: Connection) -> None:
        raise GaveUpError

    async def defer() -> None:
        await database.after_rollback(follow)
        await database.defer(refuse)

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, defer)
    assert seen == ["rolled back"]


async def test_failed_rollback_hook_is_logged_and_the_original_error_raised(
    storage: SqlStorage, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def follow() -> None:
        raise BackendDown("the disk is full")

    async def fail() -> None:
        await database.after_rollback(follow)
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, fail)
    assert "the disk is full" in caplog.text


async def test_unit_cancelled_during_commit_runs_no_rollback_hooks(storage: SqlStorage, database: Database) -> None:
    seen: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    async def follow() -> None:
        seen.append("rolled back")

    def slow(_: Connection) -> None:
        begun.set()
        go_on.wait(5)

    async def work() -> None:
        async with storage.unit():
            await database.after_rollback(follow)
            await database.defer(slow)

    task = asyncio.create_task(work())
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == []


async def test_separate_writes_survive_a_rollback(storage: SqlStorage, database: Database) -> None:
    def write(name: str) -> Callable[[Connection], None]:
        values = {"name": name, "secret": b"x"}
        return lambda connection: connection.execute(insert(keys), values).close()

    async def fail() -> None:
        await database.defer(write("deferred"))
        await database.write_separately(write("inside"))
        raise GaveUpError

    with pytest.raises(GaveUpError):
        await in_a_unit(storage, fail)
    await database.write_separately(write("outside"))
    query = select(keys.c.name).order_by(keys.c.name)
    assert await database.read(lambda connection: connection.execute(query).scalars().all()) == ["inside", "outside"]


async def test_separate_write_in_a_writing_unit_is_refused(storage: SqlStorage, database: Database) -> None:
    async def write_separately() -> None:
        await storage.catalogue.create_database(key("one"))
        await database.write_separately(lambda _: None)

    with pytest.raises(RuntimeError, match="written outside it"):
        await asyncio.wait_for(in_a_unit(storage, write_separately), 5)
    await storage.catalogue.create_database(key("free"))


async def test_concurrent_separate_and_unit_writes_do_not_deadlock(storage: SqlStorage, database: Database) -> None:
    async with storage.unit():
        outcomes = await asyncio.wait_for(
            asyncio.gather(
                *(database.write_separately(lambda _: None) for _ in range(5)),
                storage.catalogue.create_database(key("one")),
                *(database.write_separately(lambda _: None) for _ in range(5)),
                return_exceptions=True,
            ),
            5,
        )
    assert {type(outcome) for outcome in outcomes} <= {type(None), RuntimeError}
    assert await names(storage) == ["one"]


async def test_event_loop_runs_while_sql_runs(database: Database) -> None:
    for run in (database.write, database.read):
        begun, go_on = threading.Event(), threading.Event()

        def work(_: Connection, begun: threading.Event = begun, go_on: threading.Event = go_on) -> bool:
            begun.set()
            return go_on.wait(LONG_S)

        running = asyncio.create_task(run(work))
        await eventually(begun.is_set)
        go_on.set()
        assert await running


async def test_errors_contain_no_statement_parameters(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO nowhere VALUES (:value)"), {"value": "secret"})

    with pytest.raises(BackendDown) as caught:
        await database.write(work)
    assert "nowhere" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.__cause__}"
    assert isinstance(caught.value.__cause__, DBAPIError)
