"""Fixtures for all tests, and settings that keep tests from affecting each other."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bot.storage.sql import postgres
from bot.storage.sql.migration import migrate
from bot.storage.sql_storage import SqlStorage
from handlers.replies.delivery import attempts
from scripts.environment.proxies import without_proxies
from tests.fakes.slack import FakeSlack
from tests.fixtures.buckets import BucketService, serving
from tests.fixtures.milvus import MilvusServer, milvus_server
from tests.fixtures.postgres import Cluster, running
from tests.fixtures.storages import DATABASE_KINDS, POSTGRESQL, StoragePlace, delete_all_rows, quick_sqlite

# No deadline, since examples take longer on a busy machine.
settings.register_profile("vsearch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vsearch")


def pytest_configure() -> None:
    """Remove proxy settings. Tests use loopback only, but Slack's SDK would send those requests to a proxy too."""
    for name in os.environ.keys() - without_proxies(os.environ).keys():
        del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores: half of the time, tests wait for sockets, timers and programs.

    With two more, tests that start several bots at once overran their time limits on two cores.
    """
    return 1 + (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """Exclude all modules and the list of tests from garbage collection, which would go through them repeatedly."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Restore logging after each test, since the program configures it for the whole process."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in list(logging.root.manager.loggerDict)}
    yield
    logging.captureWarnings(capture=False)
    if root.level != level:
        root.setLevel(level)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    for name, known in levels.items():
        logger = logging.getLogger(name)
        # Setting a level takes time: it empties the caches of all loggers.
        if logger.level != known:
            logger.setLevel(known)


@pytest.fixture(scope="session", autouse=True)
def quick_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make SQLite quick, except in the tests of storage/sql."""
    with quick_sqlite(tmp_path_factory.mktemp("template")):
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for all tests."""
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def migrated(cluster: Cluster) -> str:
    """The address of a database with all tables."""
    address = cluster.address(cluster.database())
    engine = postgres.create(postgres.address(address), 1)
    migrate(engine)
    engine.dispose()
    return address


@pytest.fixture
def postgres_address(migrated: str) -> str:
    """The address of a database with all tables and no rows."""
    delete_all_rows(migrated)
    return migrated


@pytest.fixture(scope="session")
def shared_milvus() -> Iterator[MilvusServer]:
    """A Milvus server for all tests of all processes."""
    with milvus_server() as server:
        yield server


@pytest.fixture
def milvus(shared_milvus: MilvusServer) -> Iterator[MilvusServer]:
    """The server, which nobody stops during the test."""
    with shared_milvus.shared():
        yield shared_milvus


@pytest.fixture(scope="session")
def bucket_service() -> Iterator[BucketService]:
    """A service with buckets for all tests."""
    with serving() as service:
        yield service


@pytest.fixture(params=DATABASE_KINDS)
def storage_place(request: pytest.FixtureRequest, tmp_path: Path) -> StoragePlace:
    """An empty database of each kind in turn."""
    return StoragePlace(tmp_path, request.getfixturevalue("postgres_address") if request.param == POSTGRESQL else None)


@pytest.fixture
async def storage(storage_place: StoragePlace) -> AsyncIterator[SqlStorage]:
    """Storage opened on that database."""
    opened = await storage_place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSlack]:
    """The stand-in. It fails the test for everything that the real Slack would have refused."""
    # What the process learned about another stand-in.
    monkeypatch.setattr(attempts.thumb_support, "is_refused", False)
    async with FakeSlack() as fake:
        yield fake
        assert fake.failures == []
