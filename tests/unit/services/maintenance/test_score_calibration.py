"""Databases fit their scores to their own pictures in the background."""

from __future__ import annotations

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.errors import ModelMismatch
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.services.maintenance.score_calibration import calibrate_all, calibrate_if_doubled
from bot.storage.sql_storage import SqlStorage

KEYS = [DatabaseKey(WorkspaceId(workspace), DatabaseName(name)) for workspace in ("T1", "T2") for name in ("a1", "b1")]


class Calibrating(MemorySearch):
    """Records what calibrates itself. One database is due, and one can't."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[DatabaseKey] = []

    async def self_calibrate(self, database: DatabaseKey) -> int | None:
        self.asked.append(database)
        if database == KEYS[0]:
            raise ModelMismatch(database.name)
        return 200 if database == KEYS[1] else None


async def test_every_database_is_asked_even_after_a_failure(
    storage: SqlStorage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for key in KEYS:
        await storage.catalogue.create_database(key)
    visual = Calibrating()
    await calibrate_all(visual, storage.catalogue)
    assert sorted(visual.asked, key=str) == sorted(KEYS, key=str)
    assert "fitted the scores of T1/b1 to its 200 images" in caplog.text


async def test_back_ends_with_their_own_scores_are_left_alone() -> None:
    assert not await calibrate_if_doubled(MemorySearch(), KEYS[0])
