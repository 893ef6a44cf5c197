"""Fixtures of the tests of deletions."""

from __future__ import annotations

import pytest

from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.removals.services import Services


@pytest.fixture
def services(storage: SqlStorage) -> Services:
    """Return the services on a storage of each kind."""
    return Services(storage)
