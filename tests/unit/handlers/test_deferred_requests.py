"""Deferred requests are queued once, and a notice is sent if no worker claims them."""

from __future__ import annotations

import asyncio

import pytest

from bot.blocks.wording.errors import NOT_STARTED_YET
from bot.domain.errors import BackendDown
from handlers.inbox import waiting_notices
from handlers.inbox.deferred_requests import DeferredRequests
from tests.fakes.inbox import MemoryInbox

COMMAND = {"command": "/vsearch", "text": "search last", "team_id": "T1", "trigger_id": "1.2.abc"}
WAITS_FOR_S = 0.01


@pytest.fixture(autouse=True)
def _send_notices_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_notices, "BUSY_NOTICE_AFTER_S", WAITS_FOR_S)


class RecordedReplies:
    """Records the sentences sent to the requester."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    async def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture
def replies() -> RecordedReplies:
    return RecordedReplies()


async def test_busy_notice_is_sent_once_despite_repeated_deliveries(replies: RecordedReplies) -> None:
    left = DeferredRequests(inbox := MemoryInbox())
    assert await left.defer(COMMAND, replies.say)
    assert await left.defer(COMMAND, replies.say)
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert replies.sentences == [NOT_STARTED_YET]
    assert inbox.states() == ["waiting"]


async def test_claimed_requests_send_no_busy_notice(replies: RecordedReplies) -> None:
    left = DeferredRequests(inbox := MemoryInbox())
    await left.defer(COMMAND, replies.say)
    inbox.advance(60)
    await inbox.claim("a worker", 1, 15)
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert replies.sentences == []


async def test_inbox_failure_sends_no_busy_notice(replies: RecordedReplies, caplog: pytest.LogCaptureFixture) -> None:
    left = DeferredRequests(inbox := MemoryInbox())
    await left.defer(COMMAND, replies.say)
    inbox.failing = BackendDown("The database can't be reached.")
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert replies.sentences == []
    assert "still queued: The database can't be reached." in caplog.text


async def test_close_cancels_busy_notices(replies: RecordedReplies) -> None:
    left = DeferredRequests(MemoryInbox())
    await left.defer(COMMAND, replies.say)
    await left.close()
    await asyncio.sleep(10 * WAITS_FOR_S)
    assert replies.sentences == []
