"""Counts, pages and hidden images by visible origins, on both databases; and whose a database is."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.dialects import sqlite

from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.errors import DatabaseExists, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.domain.pages import Order, PageRequest
from bot.services.access.channel_access import ChannelAccess
from bot.storage.catalogue.visibility import is_hidden
from bot.storage.sql.schema.tables import images
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.storages import StoragePlace

TEAM = WorkspaceId("T1")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PLACES = [("C1", ChannelKind.PUBLIC), ("C2", ChannelKind.PRIVATE), ("D1", ChannelKind.DIRECT), ("", ChannelKind.PUBLIC)]


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    await storage.catalogue.create_database(PARTS)
    return storage


def origin(place: tuple[str, ChannelKind] | None, author: str) -> Origin:
    if place is None:
        return Origin(OriginSource.COMMAND_LINE, NOW, author)
    channel, kind = place
    return Origin(
        OriginSource.MESSAGE, NOW, author, slack=SlackOrigin(f"F{channel}{author}", channel, "1.0", kind=kind)
    )


def record(number: int, *origins: Origin) -> ImageRecord:
    return ImageRecord(
        database=PARTS,
        data_id=DataId(f"id-{number:03d}"),
        entity=EntityId(f"part_{number:03d}"),
        digest=f"{number:064d}",
        source_digest="0" * 64,
        fingerprint=b"",
        width=1,
        height=1,
        origins=tuple(
            Origin(one.source, NOW + timedelta(seconds=number), one.author, slack=one.slack) for one in origins
        ),
    )


async def test_counts_and_pages_agree_with_the_visibility_rule(storage: SqlStorage) -> None:
    choices = [origin(place, author) for place in (*PLACES, None) for author in ("U1", "U2")]
    mixes = [*itertools.combinations(choices, 1), *itertools.combinations(choices, 2)]
    records = [record(number, *some) for number, some in enumerate(mixes)]
    async with storage.unit():
        for one in records[:-5]:
            await storage.catalogue.add(one)
    for one in records[-5:]:
        # Further origins come one by one.
        await storage.catalogue.add(
            ImageRecord(**{**{f: getattr(one, f) for f in one.__slots__}, "origins": one.origins[:1]})
        )
        await storage.catalogue.add_origin(PARTS, one.digest, one.origins[1])
    assert set(await storage.catalogue.origin_channels(PARTS)) == set(PLACES)
    rng = random.Random(1)
    for _ in range(12):
        visible = VisibleOrigins(
            frozenset(channel for channel, _ in PLACES if channel and rng.random() < 0.5),
            rng.random() < 0.5,
            rng.choice(["", "U1", "U3"]),
        )
        access = ChannelAccess(visible, frozenset({"D1"}))
        shown = [one.data_id for one in records if any(map(access.shows, one.origins))]
        hidden = {one.data_id for one in records} - set(shown)
        assert await storage.catalogue.count_hidden(PARTS, visible) == len(hidden)
        assert await storage.catalogue.hidden_images(PARTS, visible, 1000) == hidden
        assert len(await storage.catalogue.hidden_images(PARTS, visible, 3)) == min(3, len(hidden))
        request = PageRequest(limit=7, order=Order.OLDEST_FIRST)
        listed: list[DataId] = []
        while True:
            page = await storage.catalogue.page(PARTS, request, visible)
            assert page.total == len(shown)
            listed += [one.data_id for one in page.items]
            if page.token is None:
                break
            request = PageRequest(limit=7, order=Order.OLDEST_FIRST, token=page.token)
        assert listed == shown


async def test_sqlite_reads_the_images_of_closed_conversations_once(tmp_path: Path) -> None:
    storage = await StoragePlace(tmp_path, None).open()
    visible = VisibleOrigins(frozenset({"C1"}), without_channel=True, user="U1")
    query = select(images.c.id).where(images.c.database_id == 1, is_hidden(["C2", ""], visible))
    compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})

    def work(connection: Connection) -> list[str]:
        return [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]

    plan = await storage._database.read(work)
    await storage.close()
    # Each image is looked up by its own origins, never by all those of a conversation.
    by_image = itertools.dropwhile(lambda step: not step.startswith("CORRELATED"), plan)
    assert any(step.startswith("LIST SUBQUERY") for step in plan)
    assert not any("slack_channel" in step for step in by_image)


async def test_local_database_is_given_to_one_workspace(storage: SqlStorage) -> None:
    catalogue = storage.catalogue
    local = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("catalogue"))
    await catalogue.create_database(local)
    await catalogue.give_local(local.name, TEAM)
    assert [str(info.key.name) for info in await catalogue.databases(TEAM)] == ["catalogue", "parts"]
    with pytest.raises(UnknownDatabase):
        await catalogue.give_local(local.name, TEAM)
    await catalogue.create_database(DatabaseKey(LOCAL_WORKSPACE, PARTS.name))
    with pytest.raises(DatabaseExists):
        await catalogue.give_local(PARTS.name, TEAM)


async def test_workspace_adopts_local_databases_only_if_it_may(storage: SqlStorage) -> None:
    local = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("catalogue"))
    await storage.catalogue.create_database(local)
    await storage.catalogue.record_workspace(TEAM)
    assert (await storage.catalogue.database(local)).key == local
    await storage.catalogue.record_workspace(TEAM, adopts_local=True)
    assert await storage.catalogue.databases(LOCAL_WORKSPACE) == ()
