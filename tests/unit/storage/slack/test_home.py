"""What App Home reads of many databases, on both kinds of database: pictures, counts, news, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, event, insert, update

from bot.domain.catalogue import ImageRecord, Moment, NewImages, Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.jobs import ChannelJobs, JobKind, NewJob, WorkspaceJobs
from bot.storage.ports.home import MAX_COUNTED, Visit
from bot.storage.removals.rows import RemovalKind, RemovalState
from bot.storage.sql.schema.tables import inbox, pending_removals
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.embedded import SqlVectorRows
from tests.fakes.texts import text_of
from tests.fixtures.records import image_record

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS, LOGOS, EMPTY = (DatabaseKey(TEAM, DatabaseName(name)) for name in ("parts", "logos", "empty"))
NAMES = (PARTS.name, LOGOS.name, EMPTY.name)
FOREIGN = DatabaseKey(OTHER_TEAM, PARTS.name)
NOW = datetime.now(UTC)
SEES_PUBLIC = VisibleOrigins(frozenset({"C1"}), without_channel=True)
ALWAYS = Moment(NOW - timedelta(days=7))


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    for key in (PARTS, LOGOS, EMPTY, FOREIGN):
        await storage.catalogue.create_database(key)
    return storage


def origin(channel: str, author: str = "U1", kind: ChannelKind = ChannelKind.PUBLIC, file: str = "") -> Origin:
    slack = SlackOrigin(file or f"F{channel}", channel, "1.0", kind=kind)
    return Origin(OriginSource.MESSAGE, NOW, author, slack=slack)


async def add(storage: SqlStorage, key: DatabaseKey, number: int, place: Origin | None = None) -> ImageRecord:
    """Add an image, by the operator unless a place is given."""
    record = image_record(
        database=key,
        data_id=DataId(f"{key.name}-{number}"),
        entity=EntityId(f"part_{number}"),
        digest=f"{number:064d}",
        added_at=NOW + timedelta(seconds=number),
    )
    if place is not None:
        record = replace(record, origins=(replace(place, added_at=record.added_at),))
    await storage.catalogue.add(record)
    return record


def private(channel: str = "C2", author: str = "U2") -> Origin:
    return origin(channel, author, ChannelKind.PRIVATE)


async def test_newest_visible_image_and_hidden_ones_of_each_database(storage: SqlStorage) -> None:
    for number, place in enumerate([None, origin("C1"), private(), private("C3")]):
        await add(storage, PARTS, number, place)
    await add(storage, LOGOS, 9, private())
    await add(storage, FOREIGN, 10)
    seen = await storage.home.databases_seen(TEAM, NAMES, SEES_PUBLIC, ALWAYS)
    assert {name: record.entity for name, record in seen.newest.items()} == {"parts": "part_1"}
    assert seen.hidden == {"parts": 2, "logos": 1}
    member = replace(SEES_PUBLIC, channels=frozenset({"C1", "C2"}))
    seen = await storage.home.databases_seen(TEAM, NAMES, member, ALWAYS)
    assert {name: record.entity for name, record in seen.newest.items()} == {"parts": "part_2", "logos": "part_9"}
    assert seen.hidden == {"parts": 1}
    assert set(await storage.home.channels(TEAM, NAMES)) == {
        ("", ChannelKind.PUBLIC),
        ("C1", ChannelKind.PUBLIC),
        ("C2", ChannelKind.PRIVATE),
        ("C3", ChannelKind.PRIVATE),
    }
    assert await storage.home.channels(TEAM, []) == ()


async def test_images_count_as_new_once_through_their_first_visible_origin(storage: SqlStorage) -> None:
    old, hidden = await add(storage, PARTS, 1, origin("C1")), await add(storage, PARTS, 2, private())
    before = (await storage.home.databases_seen(TEAM, NAMES, SEES_PUBLIC, ALWAYS)).moment
    assert await news(storage, before) == set()
    await storage.catalogue.add_origin(PARTS, old.digest, origin("C1", "U9", file="F2"))
    assert await news(storage, before) == set()
    await storage.catalogue.add_origin(PARTS, hidden.digest, origin("C1", "U9", file="F3"))
    await storage.catalogue.add_origin(PARTS, hidden.digest, origin("C1", "U8", file="F4"))
    await add(storage, LOGOS, 3, private())
    await add(storage, LOGOS, 4)
    await add(storage, LOGOS, 5, origin("C1"))
    await add(storage, LOGOS, 6, origin("C1"))
    await add(storage, FOREIGN, 7)
    assert await news(storage, before) == {
        NewImages(PARTS.name, "U9", "C1", 1),
        NewImages(LOGOS.name, "", "", 1),
        NewImages(LOGOS.name, "U1", "C1", 2),
    }


async def news(storage: SqlStorage, since: Moment) -> set[NewImages]:
    seen = await storage.home.databases_seen(TEAM, NAMES, SEES_PUBLIC, since)
    assert not seen.news_cut
    return set(seen.news)


async def test_images_with_old_times_are_new_too(storage: SqlStorage) -> None:
    before = (await storage.home.databases_seen(TEAM, NAMES, SEES_PUBLIC, ALWAYS)).moment
    exported = await add(storage, PARTS, 1)
    long_ago = replace(exported, data_id=DataId("old"), digest="f" * 64, entity=EntityId("old"))
    long_ago = replace(long_ago, origins=(replace(exported.first, added_at=NOW - timedelta(days=900)),))
    await storage.catalogue.add(long_ago)
    assert await news(storage, before) == {NewImages(PARTS.name, "", "", 2)}
    # Before somebody's first visit, only times can tell.
    assert await news(storage, ALWAYS) == {NewImages(PARTS.name, "", "", 1)}


async def test_many_new_images_are_counted_up_to_a_limit(storage: SqlStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.slack.home.MAX_COUNTED", 2)
    for number in range(4):
        await add(storage, PARTS, number)
    seen = await storage.home.databases_seen(TEAM, NAMES, SEES_PUBLIC, ALWAYS)
    assert (seen.news, seen.news_cut, seen.unread) == ((NewImages(PARTS.name, "", "", 2),), True, 3)
    assert MAX_COUNTED > 2


def add_pending(rows: SqlVectorRows) -> None:
    """Add the vectors of two images whose points wait."""
    rows.create(PARTS)
    features = (b"embedding", b"fingerprint", b"", b"", b"luminance")
    images = [(DataId(f"parts-{number}"), EntityId("x"), Note(), NOW, features) for number in (1, 2)]
    rows.add_images(rows.state(PARTS).id, "model", images)


async def test_unfinished_images_are_counted_as_far_as_they_are_visible(storage: SqlStorage) -> None:
    await add(storage, PARTS, 1)
    await add(storage, PARTS, 2, private())
    await storage.vectors.write(add_pending)
    seen = await storage.home.databases_seen(TEAM, NAMES, SEES_PUBLIC, ALWAYS)
    assert (seen.unread, seen.unprepared) == (1, 1)
    insider = replace(SEES_PUBLIC, channels=frozenset({"C1", "C2"}))
    assert (await storage.home.databases_seen(TEAM, NAMES, insider, ALWAYS)).unprepared == 2
    while (claim := await storage.texts.claim()) is not None:
        await storage.texts.finish(claim, text_of("words"))
    assert (await storage.home.databases_seen(TEAM, NAMES, SEES_PUBLIC, ALWAYS)).unread == 0


async def test_statements_do_not_grow_with_the_databases(storage: SqlStorage) -> None:
    counts = []
    for more in (2, 20):
        for number in range(more):
            key = DatabaseKey(TEAM, DatabaseName(f"more_{more}_{number}"))
            await storage.catalogue.create_database(key)
            await add(storage, key, number, private())
            await add(storage, key, number + 100, origin("C1"))
        names = [info.key.name for info in await storage.catalogue.databases(TEAM)]
        with statements(storage) as seen:
            await storage.home.channels(TEAM, names)
            found = await storage.home.databases_seen(TEAM, names, SEES_PUBLIC, ALWAYS)
        assert len(found.newest) == len(found.hidden) == len(names) - 3
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 16


@contextmanager
def statements(storage: SqlStorage) -> Iterator[list[str]]:
    """Record the statements that are executed."""
    engine, seen = storage._database._engine, list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_visits_are_kept_and_forgotten_with_their_workspace(storage: SqlStorage) -> None:
    first = Visit(Moment(NOW, 7), None, "E1")
    second = Visit(Moment(NOW + timedelta(hours=1), 9), first.seen, "E2")
    assert await storage.home.visit(TEAM, "U1") is None
    for workspace, visit in ((TEAM, first), (TEAM, second), (OTHER_TEAM, first)):
        await storage.home.record_visit(workspace, "U1", visit)
    assert await storage.home.visit(TEAM, "U1") == second
    await storage.home.forget_workspace(TEAM)
    assert await storage.home.visit(TEAM, "U1") is None
    assert await storage.home.visit(OTHER_TEAM, "U1") == first


async def test_jobs_and_failing_removals_of_one_workspace(storage: SqlStorage) -> None:
    for workspace, channel, message in (
        (TEAM, "C1", "1"),
        (TEAM, "C1", "2"),
        (TEAM, "C2", "3"),
        (OTHER_TEAM, "C1", "4"),
    ):
        await storage.inbox.put(NewJob(JobKind.SHARE, workspace, "", channel, message, ("F1",), "{}"))
    await storage.inbox.put(NewJob(JobKind.REQUEST, TEAM, "", "mention:C1", "5", ("-",), "a question"))
    await storage.inbox.put(NewJob(JobKind.REQUEST, TEAM, "", "request", "6", ("-",), "a command"))
    long_ago = NOW - timedelta(days=9)
    failed = update(inbox).where(inbox.c.message.in_(["2", "3"])).values(state="failed", finished_at=NOW)
    old = update(inbox).where(inbox.c.message == "3").values(finished_at=long_ago)
    removals = [
        {
            "kind": kind,
            "workspace": workspace,
            "name": f"{workspace}{kind}",
            "state": RemovalState.WAITING,
            "claims": 1,
            "attempts": attempts,
            "again": False,
            "due_at": NOW,
            "created_at": NOW,
        }
        for kind, workspace, attempts in (
            (RemovalKind.UPLOAD, TEAM, 3),
            (RemovalKind.UPLOAD, OTHER_TEAM, 3),
            (RemovalKind.PICTURE, "", 1),
            (RemovalKind.PICTURE, "x", 0),
        )
    ]

    def work(connection: Connection) -> None:
        for statement in (failed, old, insert(pending_removals).values(removals)):
            connection.execute(statement)

    await storage._database.write(work)
    found = await storage.job_overview.of(TEAM, NOW - timedelta(days=1))
    assert found == WorkspaceJobs((ChannelJobs("C1", 1, 1),), ("a question",), 2)
    for workspace in (TEAM, OTHER_TEAM):
        await storage.catalogue.record_workspace(workspace)
    # A picture that waits for its removal may be another workspace's.
    assert (await storage.job_overview.of(TEAM, NOW)).failing_removals == 1
