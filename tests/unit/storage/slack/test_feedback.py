"""Labels, what was learned, and counts, on each kind of database, also with two processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from bot.domain.channels.feedback import ScoreModel, UsageEvent, UsageOutcome, monday_of
from bot.domain.channels.reports import Label
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.domain.matches import Verdict
from bot.storage.sql.schema.tables import feedback_labels, image_usage, learned_scores, usage_counts
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

TEAM = WorkspaceId("T1")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
VALVE, PUMP = DataId("i0"), DataId("i1")
MONDAY, NEXT = date(2026, 11, 23), date(2026, 11, 30)
MODEL = ScoreModel(-8.0, 1.0, 0.5)
LABEL = Label(PARTS, VALVE, b"f" * 32, 6.5, Verdict.SIMILAR, "U1", is_same=True, by_likeness=True, lead=0.5)


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    await storage.catalogue.create_database(PARTS)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for number, data_id in enumerate((VALVE, PUMP)):
        await storage.catalogue.add(image_record(database=PARTS, data_id=data_id, digest=f"d{number}", added_at=at))
    return storage


@pytest.fixture
async def other(storage: SqlStorage, storage_place: StoragePlace) -> AsyncIterator[SqlStorage]:
    """The same storage, as another process opens it."""
    opened = await storage_place.open()
    yield opened
    await opened.close()


async def rows(storage: SqlStorage) -> list[int]:
    """Return how many rows each of the tables has."""
    tables = (feedback_labels, learned_scores, usage_counts, image_usage)

    async def count(table: object) -> int:
        query = select(func.count()).select_from(table)  # type: ignore[arg-type]
        return int(await storage._database.read(lambda connection: connection.execute(query).scalar_one()))

    return [await count(table) for table in tables]


async def test_concurrent_presses_in_two_processes_record_one_label(storage: SqlStorage, other: SqlStorage) -> None:
    presses = [replace(LABEL, is_same=number % 2 == 0) for number in range(6)]
    await asyncio.gather(*((storage, other)[n % 2].feedback.record(label) for n, label in enumerate(presses)))
    [label] = await storage.labels.of(PARTS)
    assert (label.score, label.lead, label.fingerprint) == (6.5, 0.5, b"f" * 32)
    await other.feedback.record(replace(LABEL, is_same=False))
    assert [one.is_same for one in await storage.labels.of(PARTS)] == [False]
    assert await storage.labels.count(PARTS) == 1


async def test_scores_are_learned_once_and_undone_once(storage: SqlStorage, other: SqlStorage) -> None:
    before = (await storage.catalogue.database(PARTS)).revision
    added = await asyncio.gather(*(one.learning.add(PARTS, MODEL, 40, 0) for one in (storage, other)))
    assert sorted(added) == [False, True]
    current = await other.learning.current(PARTS)
    assert current is not None
    assert (current.model, current.labels) == (MODEL, 40)
    assert await other.learning.all_current(TEAM) == {PARTS.name: current}
    assert await other.learning.all_current(WorkspaceId("T2")) == {}
    # Searches see it at once, because their cached results are of another revision.
    assert (await storage.catalogue.database(PARTS)).revision > before
    undone = await asyncio.gather(*(one.learning.undo(PARTS, current.id, "U1") for one in (storage, other)))
    assert sorted(undone) == [False, True]
    assert await storage.learning.current(PARTS) is None
    assert await storage.learning.all_current(TEAM) == {}
    newest = await storage.learning.newest(PARTS)
    assert newest is not None
    assert newest.undone_by == "U1"


async def test_counts_of_two_processes_add_up(storage: SqlStorage, other: SqlStorage) -> None:
    events = [UsageEvent(PARTS, UsageOutcome.FOUND, VALVE), UsageEvent(PARTS, UsageOutcome.NOTHING)]
    gone = UsageEvent(replace(PARTS, name=DatabaseName("gone")), UsageOutcome.FOUND, DataId("gone"))
    await asyncio.gather(*(one.usage.add([*events, gone], MONDAY) for one in (storage, other) * 3))
    await storage.usage.add([UsageEvent(PARTS, UsageOutcome.FOUND, PUMP)], NEXT)
    await storage.feedback.record(LABEL)
    first, second, *labelled = await storage.usage.weeks(PARTS, MONDAY)
    assert (first.monday, first.of(UsageOutcome.FOUND), first.of(UsageOutcome.NOTHING)) == (MONDAY, 6, 6)
    assert second.of(UsageOutcome.FOUND) == 1
    assert sum(week.of(UsageOutcome.RIGHT) for week in (first, second, *labelled)) in {0, 1}
    assert await storage.usage.top(PARTS, [UsageOutcome.FOUND], MONDAY, 5) == ((VALVE, 6), (PUMP, 1))
    assert await storage.usage.top(PARTS, [UsageOutcome.FOUND], NEXT, 5) == ((PUMP, 1),)
    await storage.usage.purge(NEXT)
    assert [week.monday for week in await storage.usage.weeks(PARTS, MONDAY)][:1] == [NEXT]


async def test_labels_are_counted_in_their_week(storage: SqlStorage) -> None:
    await storage.feedback.record(LABEL)
    await storage.feedback.record(replace(LABEL, user="U2", is_same=False))
    monday = monday_of(datetime.now(UTC))
    [week] = await storage.usage.weeks(PARTS, monday - timedelta(days=7))
    assert (week.of(UsageOutcome.RIGHT), week.of(UsageOutcome.WRONG)) == (1, 1)


async def test_everything_goes_with_its_database(storage: SqlStorage) -> None:
    await storage.feedback.record(LABEL)
    await storage.learning.add(PARTS, MODEL, 40, 0)
    await storage.usage.add([UsageEvent(PARTS, UsageOutcome.FOUND, VALVE)], MONDAY)
    assert await rows(storage) == [1, 1, 1, 1]
    await storage.catalogue.delete_database(PARTS)
    assert await rows(storage) == [0, 0, 0, 0]
    with pytest.raises(UnknownDatabase):
        await storage.labels.of(PARTS)


@pytest.mark.parametrize(
    "where",
    [{"file": "F1"}, {"channel": "C1", "message": "1.1"}, {"channel": "C1"}],
    ids=["file", "message", "channel"],
)
async def test_labels_go_with_what_was_asked(storage: SqlStorage, where: dict[str, str]) -> None:
    await storage.feedback.record(replace(LABEL, channel="C1", message="1.1", file="F1"))
    await storage.feedback.record(replace(LABEL, user="U2", channel="C2", message="1.1", file="F2"))
    await storage.labels.forget(WorkspaceId("T2"), **where)
    assert await storage.labels.count(PARTS) == 2
    await storage.labels.forget(TEAM, **where)
    assert await storage.labels.count(PARTS) == 1


async def test_everything_goes_with_its_workspace(storage: SqlStorage) -> None:
    await storage.feedback.record(LABEL)
    await storage.learning.add(PARTS, MODEL, 40, 0)
    await storage.usage.add([UsageEvent(PARTS, UsageOutcome.FOUND, VALVE)], MONDAY)
    await storage.excluded_pairs.forget_workspace(TEAM)
    before = (await storage.catalogue.database(PARTS)).revision
    await storage.usage.forget_workspace(TEAM)
    # An operator's database stays, and searches of it forget what it learned.
    assert (await storage.catalogue.database(PARTS)).revision > before
    assert await rows(storage) == [0, 0, 0, 0]
