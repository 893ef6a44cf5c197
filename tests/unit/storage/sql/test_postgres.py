"""PostgreSQL: lost connections, restarts, exhausted pools, deadlocks and notifications."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, text

from bot.domain.errors import BackendDown, BackendThrottled, BackendTimeout
from bot.storage.inbox import job_notifier
from bot.storage.sql import postgres
from bot.storage.sql.database import Database
from bot.storage.sql_storage import SqlStorage, StorageOptions
from tests.fakes.inbox import share
from tests.fixtures.postgres import Cluster
from tests.unit.storage.sql.units import TEAM, key, names

LONGEST_S = 5
TERMINATE_OWN_CONNECTION = text("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.fixture
async def storage(tmp_path: Path, postgres_address: str) -> AsyncIterator[SqlStorage]:
    opened = await SqlStorage.open(tmp_path, postgres_address)
    yield opened
    await opened.close()


@pytest.fixture
def database(storage: SqlStorage) -> Database:
    return storage._database


@pytest.fixture
def engine(postgres_address: str) -> Iterator[Engine]:
    made = postgres.create(postgres.address(postgres_address), 4)
    yield made
    made.dispose()


async def test_storage_recovers_from_a_server_restart(cluster: Cluster, storage: SqlStorage) -> None:
    await storage.catalogue.create_database(key("before"))
    cluster.stop()
    try:
        for attempt in (names(storage), storage.catalogue.create_database(key("meanwhile")), storage.ping()):
            with pytest.raises(BackendDown):
                await attempt
    finally:
        cluster.start()
    assert await names(storage) == ["before"]
    async with storage.unit():
        await storage.catalogue.create_database(key("after"))
    assert await names(storage) == ["after", "before"]


async def test_read_is_retried_after_a_lost_connection(database: Database) -> None:
    tries = 0

    def work(connection: Connection) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            connection.execute(TERMINATE_OWN_CONNECTION)
        return tries

    assert await database.read(work) == 2


async def test_read_fails_if_the_retry_loses_its_connection_too(database: Database) -> None:
    with pytest.raises(BackendDown, match="connection to PostgreSQL was lost"):
        await database.read(lambda connection: connection.execute(TERMINATE_OWN_CONNECTION))


async def test_write_is_not_retried_after_a_lost_connection(storage: SqlStorage, database: Database) -> None:
    tries = 0

    def work(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        connection.execute(TERMINATE_OWN_CONNECTION)

    with pytest.raises(BackendDown):
        await database.write(work)
    assert tries == 1
    await storage.ping()


async def test_unit_with_a_lost_connection_is_rolled_back(storage: SqlStorage, database: Database) -> None:
    async def cut_off() -> None:
        async with storage.unit():
            await storage.catalogue.create_database(key("one"))
            await database.write(lambda connection: connection.execute(TERMINATE_OWN_CONNECTION))

    for _ in range(10):
        with pytest.raises(BackendDown):
            await cut_off()
    assert await names(storage) == []


async def test_units_run_concurrently(storage: SqlStorage) -> None:
    async with asyncio.timeout(LONGEST_S), storage.unit():
        await storage.catalogue.create_database(key("slow"))
        # In another thread, so that it is not part of the unit.
        other = asyncio.get_running_loop().run_in_executor(None, asyncio.run, _create_elsewhere(storage, "quick"))
        await other
        assert await storage.catalogue.databases(TEAM)
    assert await names(storage) == ["quick", "slow"]


async def _create_elsewhere(storage: SqlStorage, name: str) -> None:
    other = await SqlStorage.open(Path(), storage._database._engine.url.render_as_string(hide_password=False))
    try:
        await other.catalogue.create_database(key(name))
    finally:
        await other.close()


async def test_connection_wait_times_out(engine: Engine) -> None:
    database = Database(engine, 1, replace(postgres.dialect(1), write_wait_s=0.05))
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        go_on.wait(LONGEST_S)

    holding = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(begun.wait, LONGEST_S)
    with pytest.raises(BackendTimeout, match=r"All 1 connections that write were busy for 0\.05 s"):
        await database.write(lambda _: None)
    go_on.set()
    await holding
    await database.write(lambda _: None)
    await database.close()


async def test_connection_limit_of_the_server_raises_throttled(cluster: Cluster, tmp_path: Path) -> None:
    name = cluster.database()
    cluster.execute(sql.SQL("CREATE ROLE small LOGIN CONNECTION LIMIT 1"))
    cluster.execute(sql.SQL("ALTER DATABASE {} OWNER TO small").format(sql.Identifier(name)))
    address = cluster.address(name, "small")
    storage = await SqlStorage.open(tmp_path, address, StorageOptions(connections=2))
    try:
        with pytest.raises(BackendThrottled, match="no more connections"):
            await SqlStorage.open(tmp_path, address)
        # The open storage still works.
        await storage.catalogue.create_database(key("one"))
        assert await names(storage) == ["one"]
    finally:
        await storage.close()
        cluster.drop(name)


async def test_deadlocked_transactions_are_retried(storage: SqlStorage, database: Database) -> None:
    for name in ("one", "two"):
        await storage.catalogue.create_database(key(name))
    both_hold_one = threading.Barrier(2)
    change = text("UPDATE databases SET revision = revision + 1 WHERE name = :name")

    def in_order(first: str, then: str) -> Callable[[Connection], None]:
        tries = 0

        def work(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            connection.execute(change, {"name": first})
            if tries == 1:
                both_hold_one.wait(LONGEST_S)
            connection.execute(change, {"name": then})

        return work

    await asyncio.gather(database.write(in_order("one", "two")), database.write(in_order("two", "one")))
    assert [info.revision for info in await storage.catalogue.databases(TEAM)] == [2, 2]


async def test_statement_timeout_raises_backend_timeout(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("SET LOCAL statement_timeout = '10ms'"))
        connection.execute(text("SELECT pg_sleep(5)"))

    with pytest.raises(BackendTimeout):
        await database.write(work)


async def test_read_sees_one_snapshot_and_cannot_write(storage: SqlStorage, database: Database) -> None:
    count = text("SELECT count(*) FROM databases")
    results, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> tuple[int, int]:
        before = connection.execute(count).scalar_one()
        results.set()
        go_on.wait(LONGEST_S)
        return before, connection.execute(count).scalar_one()

    reading = asyncio.create_task(database.read(work))
    await asyncio.to_thread(results.wait, LONGEST_S)
    await storage.catalogue.create_database(key("meanwhile"))
    go_on.set()
    assert await reading == (0, 0)
    with pytest.raises(BackendDown):
        await database.read(lambda connection: connection.execute(text("DELETE FROM databases")))


async def test_unreachable_server_error_is_one_line_without_the_password(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(BackendDown) as caught:
        await SqlStorage.open(tmp_path, "postgresql://me:hidden@/vsearch?host=/nowhere")
    assert "hidden" not in f"{caught.value} {caught.value.__cause__}"
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < LONGEST_S


@pytest.mark.parametrize("host", [f"{'x' * 64}.example", "db..example"])
async def test_impossible_host_names_are_refused_in_one_sentence(host: str, tmp_path: Path) -> None:
    with pytest.raises(BackendDown, match="DATABASE_URL has an invalid host name") as refused:
        await SqlStorage.open(tmp_path, f"postgresql://me:hidden@{host}/vsearch")
    assert "hidden" not in str(refused.value)


async def test_notifications_reach_other_processes(tmp_path: Path, postgres_address: str) -> None:
    async with asyncio.timeout(LONGEST_S):
        one = await SqlStorage.open(tmp_path, postgres_address)
        two = await SqlStorage.open(tmp_path, postgres_address)
        arrivals = two.inbox.arrivals()
        try:
            # The first notification is for jobs from before.
            await anext(arrivals)
            for number in range(3):
                await one.inbox.put(share(number))
                await anext(arrivals)
        finally:
            await arrivals.aclose()  # type: ignore[attr-defined]
            await one.close()
            await two.close()


async def test_listener_reconnects_after_a_restart(
    cluster: Cluster, storage: SqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_notifier, "RECONNECT_DELAY_S", 0.05)
    arrivals = storage.inbox.arrivals()
    async with asyncio.timeout(2 * LONGEST_S):
        try:
            await anext(arrivals)
            cluster.stop()
            again = asyncio.ensure_future(anext(arrivals))
            await asyncio.sleep(0.1)
            cluster.start()
            await again
            await storage.inbox.put(share(1))
            await anext(arrivals)
        finally:
            await arrivals.aclose()  # type: ignore[attr-defined]


async def test_incompressible_columns_are_not_compressed(database: Database) -> None:
    uncompressed = text(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE attstorage = 'e' AND attnum > 0"
    )
    rows = await database.read(lambda connection: connection.execute(uncompressed).all())
    features = {(f"embedded_{kind}_features", "features") for kind in ("local", "point")}
    wanted = {("pictures", "jpeg"), ("embedded_vectors", "embedding"), *features}
    assert wanted <= {(table, column) for table, column in rows}
