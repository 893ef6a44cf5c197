"""What a process leaves to others: it is there once, and a word tells whoever waits for long."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import BackendDown
from handlers import errands
from handlers.errands import ALL_BUSY, LeftToWorkers
from tests.fakes.inbox import MemoryInbox

COMMAND = {"command": "/vsearch", "text": "search last", "team_id": "T1", "trigger_id": "1.2.abc"}
WAITS_FOR_S = 0.01


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "WAITS_FOR_S", WAITS_FOR_S)


class Told:
    """What was said to whoever waits."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    async def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture
def told() -> Told:
    return Told()


async def test_whoever_waits_for_long_is_told_once_however_often_slack_delivers(told: Told) -> None:
    left = LeftToWorkers(inbox := MemoryInbox())
    assert await left.pass_on(COMMAND, told.say)
    assert await left.pass_on(COMMAND, told.say)
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert told.sentences == [ALL_BUSY]
    assert inbox.states() == ["waiting"]


async def test_what_somebody_takes_up_needs_no_word(told: Told) -> None:
    left = LeftToWorkers(inbox := MemoryInbox())
    await left.pass_on(COMMAND, told.say)
    inbox.later(60)
    await inbox.claim("a worker", 1, 15)
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert told.sentences == []


async def test_an_inbox_that_can_not_be_asked_is_no_news(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    left = LeftToWorkers(inbox := MemoryInbox())
    await left.pass_on(COMMAND, told.say)
    inbox.failing = BackendDown("The database can't be reached.")
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert told.sentences == []
    assert "can't be told: The database can't be reached." in caplog.text


async def test_nothing_is_watched_after_the_end(told: Told) -> None:
    left = LeftToWorkers(MemoryInbox())
    await left.pass_on(COMMAND, told.say)
    await left.close()
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert told.sentences == []
