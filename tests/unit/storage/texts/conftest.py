"""Two databases of one workspace, on each kind of SQL database."""

from __future__ import annotations

import pytest

from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.texts.images import BRAND, PARTS


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    for key in (PARTS, BRAND):
        await storage.catalogue.create_database(key)
    return storage
