"""What a database learned, on the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.cli.terminal.exit_codes import ExitCode
from bot.domain.channels.feedback import ScoreModel
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.command_line import Vsearch, pictures, stocked, vsearch

__all__ = ["pictures", "stocked", "vsearch"]


async def _learn(folder: Path) -> None:
    storage = await SqlStorage.open(folder)
    key = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("parts"))
    assert await storage.learning.add(key, ScoreModel(-8.0, 1.0, 1.0), 64, 0)
    await storage.close()


def test_learned_scores_are_shown_and_undone(stocked: Vsearch, tmp_path: Path) -> None:
    assert "the default ones" in stocked("feedback", "parts").out
    assert "nothing that could be undone" in stocked("feedback", "parts", "--undo").err
    [database] = tmp_path.rglob("vsearch.db")
    asyncio.run(_learn(database.parent))
    assert "learned from 64 on" in stocked("feedback", "parts").out
    assert stocked("feedback", "parts", "--undo").code == ExitCode.OK
    assert stocked("feedback", "parts", "--json").document["learned"] is None
