"""Imports of histories in SQL: pages, threads, messages, their end, and the times of events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.domain.jobs import HistoryImport, HistoryPage, HistoryStatus, NewHistoryImport, PastCounts, PastMessage
from bot.storage.sql_storage import SqlStorage

TEAM, OTHER = WorkspaceId("T1"), WorkspaceId("T2")
NEW = NewHistoryImport(workspace=TEAM, enterprise="", channel="C1", database="parts", started_by="U1", latest="9.0")


def message(ts: str, *files: str) -> PastMessage:
    """Return a message with files."""
    return PastMessage(ts, files or (f"F{ts}",), "{}")


PAGE = HistoryPage((message("3.0"), message("2.0", "FA", "FB")), ("2.0",), 5, "2.0", "3.0", "next")


@pytest.fixture
async def begun(storage: SqlStorage) -> HistoryImport:
    """An import with its first page."""
    given = await storage.history.start(NEW, PAGE)
    assert given is not None
    return given


async def left(storage: SqlStorage, number: int) -> list[str]:
    """Return the messages that are still to be added."""
    return [one.message for one in await storage.history.next_messages(number, 10)]


async def test_pages_are_recorded_once_and_added_from_the_oldest(storage: SqlStorage, begun: HistoryImport) -> None:
    history = storage.history
    assert (begun.messages, begun.pictures, begun.cursor, begun.reached) == (5, 3, "next", "2.0")
    await history.record_page(begun.id, HistoryPage((message("1.0"), message("2.0", "FA", "FB")), (), 2, "1.0"))
    assert await left(storage, begun.id) == ["1.0", "2.0", "3.0"]
    assert await history.next_thread(begun.id) == ("2.0", "")
    await history.record_replies(begun.id, "2.0", HistoryPage((message("2.5"),), count=1, cursor="more"))
    assert await history.next_thread(begun.id) == ("2.0", "more")
    await history.record_replies(begun.id, "2.0", HistoryPage((message("2.6"),), count=1))
    assert await history.next_thread(begun.id) is None
    assert await history.begin_messages(begun.id) == 1
    for _ in range(2):
        await history.finish_messages(begun.id, ["1.0", "2.0"], PastCounts(added=2, refused=1))
    await history.return_messages(begun.id)
    now = await history.get(begun.id)
    assert now is not None
    assert (now.is_listed, now.reached, now.pictures, now.done, now.attempts) == (True, "1.0", 6, 3, 0)
    assert await left(storage, begun.id) == ["2.5", "2.6", "3.0"]


async def test_channel_has_one_import_at_a_time(storage: SqlStorage, begun: HistoryImport) -> None:
    history = storage.history
    begun_together = await asyncio.gather(*(history.start(NEW) for _ in range(3)))
    assert begun_together == [None] * 3
    assert await history.set_status(begun.id, HistoryStatus.PAUSED) is not None
    assert await history.due(5) == ()
    assert await history.start(NEW) is None
    stopped = await history.set_status(begun.id, HistoryStatus.STOPPED)
    assert stopped is not None
    assert not await left(storage, begun.id)
    await history.record_page(begun.id, PAGE)
    assert not await left(storage, begun.id)
    assert await history.set_status(begun.id, HistoryStatus.RUNNING) is None
    again = await history.start(NEW)
    assert again is not None
    assert [one.id for one in await history.due(5)] == [again.id]
    assert await history.of_channel(TEAM, "C1") == again


async def test_import_that_waits_is_due_later(storage: SqlStorage, begun: HistoryImport) -> None:
    await storage.history.postpone(begun.id, datetime.now(UTC) + timedelta(hours=1), "Slack is down")
    assert await storage.history.due(5) == ()
    waiting = await storage.history.get(begun.id)
    assert waiting is not None
    assert waiting.reason == "Slack is down"


async def test_deletions_take_out_what_is_still_to_be_added(storage: SqlStorage, begun: HistoryImport) -> None:
    await storage.inbox.withdraw(OTHER, channel="C1", message="3.0")
    await storage.inbox.withdraw(TEAM, file="FA")
    assert await left(storage, begun.id) == ["2.0", "3.0"], "the message has another file"
    await storage.inbox.withdraw(TEAM, file="F3.0")
    assert await left(storage, begun.id) == ["2.0"]
    await storage.inbox.withdraw(TEAM, channel="C1", whole_channel=True)
    assert not await left(storage, begun.id)
    await storage.history.forget_workspace(TEAM)
    assert await storage.history.get(begun.id) is None


async def test_number_of_messages_is_bounded(storage: SqlStorage) -> None:
    bounded = NewHistoryImport(workspace=TEAM, enterprise="", channel="C1", latest="9.0", max_messages=6)
    given = await storage.history.start(bounded, PAGE)
    assert given is not None
    assert not given.is_listed
    await storage.history.record_page(given.id, HistoryPage(count=3, cursor="more"))
    full = await storage.history.get(given.id)
    assert full is not None
    assert full.is_listed


async def test_times_of_events_are_kept_for_watched_channels(storage: SqlStorage) -> None:
    history = storage.history
    await storage.catalogue.create_database(DatabaseKey(TEAM, DatabaseName("parts")))
    for channel, mode in (("C1", ChannelMode.COLLECT), ("C2", ChannelMode.LOOKUP)):
        await storage.bindings.put(ChannelBinding(TEAM, channel, mode, DatabaseName("parts")))
    began = (await history.seen(TEAM))[TEAM, "C1"]
    assert abs(float(began) + 60 - datetime.now(UTC).timestamp()) < 30
    await history.record_seen(
        {(TEAM, "C1"): "1700000005.000000", (TEAM, "C2"): "1700000005.000000", (OTHER, "C1"): "1700000007.000000"}
    )
    await history.record_seen({(TEAM, "C1"): "1700000004.000000"})
    assert await history.seen(TEAM) == {(TEAM, "C1"): "1700000005.000000"}
    await storage.bindings.put(ChannelBinding(TEAM, "C1", ChannelMode.GUARD, DatabaseName("parts")))
    assert (await history.seen(TEAM))[TEAM, "C1"] > "1700000005.000000", (
        "what was shared before is not for the new mode"
    )
