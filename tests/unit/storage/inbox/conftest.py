"""The inbox on each kind of database, with a clock that tests advance."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.storage.inbox.inbox import SqlInbox
from bot.storage.inbox.worker_registry import FileWorkerRegistry
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock


@pytest.fixture
def workers(tmp_path: Path) -> FileWorkerRegistry:
    return FileWorkerRegistry(tmp_path / "workers")


@pytest.fixture
def inbox(storage: SqlStorage, workers: FileWorkerRegistry, clock: Clock) -> SqlInbox:
    return SqlInbox(storage._database, workers, clock)
