"""Migrations: they match the schema, keep rows, and can be reverted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, Table, delete, insert, inspect, select

from bot.domain.catalogue import NewHostedImage, Origin, OriginScope, OriginSource, SlackOrigin
from bot.domain.channels import ChannelBinding, ChannelKind
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import Order, PageRequest
from bot.storage.removals.tombstones import INLINE_ROWS
from bot.storage.sql import postgres, sqlite
from bot.storage.sql.migration import HEAD, configuration, migrate
from bot.storage.sql.schema.tables import (
    databases,
    embedded_databases,
    embedded_images,
    embedded_vectors,
    hosted_deletions,
    metadata,
)
from bot.storage.transfer import log
from tests.fixtures.postgres import Cluster
from tests.fixtures.storages import DATABASE_KINDS, SQLITE, StoragePlace


@pytest.fixture(params=DATABASE_KINDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoragePlace]:
    """A database without tables, of each kind."""
    if request.param == SQLITE:
        yield StoragePlace(tmp_path)
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.database()
    yield StoragePlace(tmp_path, cluster.address(name))
    cluster.drop(name)


@pytest.fixture
def engine(empty_database: StoragePlace) -> Iterator[Engine]:
    if empty_database.database_url is None:
        url = sqlite.address(empty_database.data_dir)
        sqlite.prepare(url)
        made = sqlite.create(url, 2)
    else:
        made = postgres.create(postgres.address(empty_database.database_url), 2)
    yield made
    made.dispose()


TEAM = WorkspaceId("T1")
BEGINNING = datetime(2026, 1, 2, tzinfo=UTC)


def go(engine: Engine, revision: str) -> None:
    with engine.execution_options(immediate=True).begin() as connection:
        command.upgrade(configuration(connection), revision)


def go_back(engine: Engine, revision: str) -> None:
    with engine.execution_options(immediate=True).begin() as connection:
        command.downgrade(configuration(connection), revision)


def fill_first_version(engine: Engine) -> None:
    """Insert rows into the tables of the first revision."""
    database = {"id": 1, "workspace": TEAM, "name": "parts", "created_at": BEGINNING, "created_by": "U1", "revision": 2}
    image = {
        "database_id": 1,
        "entity": "valve",
        "note": "",
        "source_digest": "0" * 64,
        "fingerprint": b"",
        "width": 1,
        "height": 1,
        "created_at": BEGINNING,
        "added_by": "",
        "source_name": "",
    }
    shared = {"slack_file": "F1", "slack_channel": "C1", "slack_message": "1.0", "slack_permalink": ""}
    with engine.execution_options(immediate=True).begin() as connection:
        images = Table("images", MetaData(), autoload_with=connection)
        connection.execute(insert(databases), database)
        connection.execute(insert(images), {**image, "data_id": "imported", "digest": "1" * 64})
        connection.execute(insert(images), {**image, **shared, "data_id": "shared", "digest": "2" * 64})


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_migrated_tables_match_the_schema(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_downgrade_to_base_and_upgrade_again(engine: Engine) -> None:
    migrate(engine)
    go_back(engine, "base")
    assert tables(engine) == set()
    migrate(engine)
    assert tables(engine) == set(metadata.tables)


def test_head_is_the_newest_revision(engine: Engine) -> None:
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(configuration(connection)).get_heads() == [HEAD]


def test_second_migration_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)
    assert tables(engine) == set(metadata.tables)


def test_failed_migration_is_rolled_back(engine: Engine) -> None:
    with engine.execution_options(immediate=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE embedded_sketches (in_the_way INTEGER)")
    with pytest.raises(Exception, match="already exists"):
        migrate(engine)
    assert tables(engine) == {"embedded_sketches"}


async def test_upgrade_from_the_first_revision_keeps_rows(engine: Engine, empty_database: StoragePlace) -> None:
    go(engine, "0001")
    fill_first_version(engine)
    storage = await empty_database.open()
    try:
        key = DatabaseKey(TEAM, DatabaseName("parts"))
        info = await storage.catalogue.database(key)
        assert (info.images, info.revision, info.hints_at_hidden) == (2, 2, False)
        records = await storage.catalogue.records(key, [DataId("imported"), DataId("shared")])
        assert records[DataId("imported")].origin is None
        origin = records[DataId("shared")].origin
        assert origin is not None
        # The first revision did not record who could read the channel.
        assert origin.kind is ChannelKind.PRIVATE
        assert await storage.catalogue.with_origins(OriginScope(TEAM, file="F1"), 10) == (records[DataId("shared")],)
    finally:
        await storage.close()


async def test_downgrade_to_the_first_revision_keeps_rows(engine: Engine, empty_database: StoragePlace) -> None:
    go(engine, "0001")
    fill_first_version(engine)
    storage = await empty_database.open()
    await storage.bindings.put(ChannelBinding(TEAM, "C1", database=DatabaseName("parts")))
    await storage.close()
    go_back(engine, "0001")
    go(engine, HEAD)
    storage = await empty_database.open()
    try:
        assert (await storage.catalogue.database(DatabaseKey(TEAM, DatabaseName("parts")))).images == 2
        assert await storage.bindings.all(TEAM) == ()
    finally:
        await storage.close()


async def test_upgrade_from_the_second_revision_keeps_rows(engine: Engine, empty_database: StoragePlace) -> None:
    go(engine, "0001")
    fill_first_version(engine)
    go(engine, "0002")
    storage = await empty_database.open()
    key = DatabaseKey(TEAM, DatabaseName("parts"))
    try:
        assert (await storage.catalogue.database(key)).images == 2
        assert await storage.ledger.names(TEAM) == ()
        await storage.ledger.create_database(key, "upstream", "prefix_")
    finally:
        await storage.close()
    go_back(engine, "0002")
    assert not {"hosted_databases", "hosted_images", "hosted_chores", "relayed_pictures", "api_image_urls"} & tables(
        engine
    )
    go(engine, HEAD)
    storage = await empty_database.open()
    try:
        assert (await storage.catalogue.database(key)).images == 2
        assert await storage.ledger.names(TEAM) == ()
    finally:
        await storage.close()


OLD_NAMES = {
    "hosted_chores": "hosted_deletions",
    "embedded_sketches": "embedded_local_features",
    "moves": "transfers",
}
"""Tables that revision 0005 renames, and their new names."""


def fill_old_tables(engine: Engine) -> None:
    """Insert rows into the tables that revision 0005 renames, and what they refer to."""
    vector = {"id": 7, "image_id": 5, "database_id": 3, "model_id": "m", "embedding": b"e", "fingerprint": b"f"}
    image = {"id": 5, "database_id": 3, "data_id": "d", "entity": "valve", "note": ""}
    row: dict[str, object]
    with engine.execution_options(immediate=True).begin() as connection:
        database = {"id": 3, "workspace": TEAM, "name": "parts", "revision": 1, "removals": 0}
        connection.execute(insert(embedded_databases), database)
        connection.execute(insert(embedded_images), {**image, "created_at": BEGINNING, "updated_at": BEGINNING})
        connection.execute(insert(embedded_vectors), vector)
        old = MetaData()
        for name, row in {
            "embedded_sketches": {"vector_id": 7, "sketch": b"orb"},
            "hosted_chores": {"upstream": "up", "entity": "valve", "due_at": BEGINNING},
        }.items():
            connection.execute(insert(Table(name, old, autoload_with=connection)), row)
        connection.exec_driver_sql(
            "CREATE TABLE moves (id INTEGER PRIMARY KEY, source VARCHAR NOT NULL, marks TEXT NOT NULL,"
            " positions TEXT NOT NULL, begun_at TIMESTAMP NOT NULL, finished_at TIMESTAMP)"
        )
        connection.exec_driver_sql(
            "INSERT INTO moves VALUES (1, 'data', '{}', '{}', '2026-01-02 00:00:00', '2026-01-03 00:00:00')"
        )


def names_of_renamed_tables(engine: Engine) -> set[str]:
    """Names of the tables that revision 0005 renames, and of their columns, indexes, constraints and sequences."""
    found: set[str] = set()
    look = inspect(engine)
    for table in tables(engine) & {*OLD_NAMES, *OLD_NAMES.values()}:
        found |= {table, *(f"{table}.{column['name']}" for column in look.get_columns(table))}
        found |= {str(index["name"]) for index in look.get_indexes(table)}
        if engine.dialect.name == "postgresql":
            found |= {str(key["name"]) for key in look.get_foreign_keys(table)}
            found.add(str(look.get_pk_constraint(table)["name"]))
    if engine.dialect.name == "postgresql":
        found |= {"hosted_chores_id_seq", "hosted_deletions_id_seq"} & set(look.get_sequence_names())
    return found


def renamed(name: str) -> str:
    """A name of revision 0004 as revision 0005 has it."""
    name = name.replace("moves.marks", "moves.checksums").replace("sketches.sketch", "sketches.features")
    for old, new in OLD_NAMES.items():
        name = name.replace(old, new)
    return name


async def test_renamed_tables_keep_their_rows(engine: Engine, empty_database: StoragePlace) -> None:
    go(engine, "0004")
    fill_old_tables(engine)
    before = names_of_renamed_tables(engine)
    storage = await empty_database.open()
    try:
        assert tables(engine) == {*metadata.tables, "transfers"}
        assert await storage.vectors.read(lambda rows: rows.local_features([7])) == {7: b"orb"}
        assert [deletion.entity for deletion in await storage.pending_deletions.due(10)] == ["valve"]
        entry = await storage._database.read(log.read)
        assert entry == log.TransferLogEntry("data", {}, {}, finished=True)
    finally:
        await storage.close()
    with engine.execution_options(immediate=True).begin() as connection:
        connection.execute(delete(hosted_deletions))
        row = {"upstream": "up", "entity": "pump", "due_at": BEGINNING}
        # Row ids continue after the last one that was used.
        assert connection.execute(insert(hosted_deletions), row).inserted_primary_key == (2,)
    assert names_of_renamed_tables(engine) == {renamed(name) for name in before}
    go_back(engine, "0004")
    assert names_of_renamed_tables(engine) == before
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT vector_id, sketch FROM embedded_sketches").all() == [(7, b"orb")]
        assert connection.exec_driver_sql("SELECT id, entity FROM hosted_chores").all() == [(2, "pump")]
        assert connection.exec_driver_sql("SELECT source, marks FROM moves").all() == [("data", "{}")]


OLD_IMAGES = (
    # data id, note, author, file name, Slack file, channel, message, kind, and the origin's source
    ("shared", "DN 25", "U1", "valve.jpg", "F1", "C1", "1.0", "private", OriginSource.MESSAGE),
    ("chosen", "", "U2", "pump.png", "F2", "", "", "public", OriginSource.FORM),
    ("named", "from the web", "U3", "a.png", None, None, None, None, OriginSource.URL),
    ("imported", "", "", "b.jpg", None, None, None, None, OriginSource.COMMAND_LINE),
)
"""Images of revision 0005, and the source that each has afterwards."""


def fill_old_images(engine: Engine) -> None:
    """Insert images of revision 0005, which has one origin for each, and the embedded engine's rows."""
    with engine.execution_options(immediate=True).begin() as connection:
        old = MetaData()
        images, embedded = (Table(name, old, autoload_with=connection) for name in ("images", "embedded_images"))
        database = {
            "id": 1,
            "workspace": TEAM,
            "name": "parts",
            "created_at": BEGINNING,
            "created_by": "",
            "revision": 1,
        }
        connection.execute(insert(databases), database)
        for number, workspace in ((3, TEAM), (4, "api:key")):
            owner = {"id": number, "workspace": workspace, "name": "parts", "revision": 1, "removals": 0}
            connection.execute(insert(embedded_databases), owner)
        for number, (data_id, note, author, name, file, channel, message, kind, _) in enumerate(OLD_IMAGES):
            at = BEGINNING + timedelta(days=number)
            slack = {"slack_file": file, "slack_channel": channel, "slack_message": message, "slack_kind": kind}
            slack["slack_permalink"] = file and "https://example.slack.com/p1"
            pixels = {"digest": str(number) * 64, "source_digest": "s", "fingerprint": b"", "width": 1, "height": 1}
            row = {"database_id": 1, "data_id": data_id, "entity": "valve", "note": note, "created_at": at}
            connection.execute(insert(images), row | pixels | slack | {"added_by": author, "source_name": name})
            connection.execute(insert(embedded), row | {"database_id": 3, "updated_at": at})
        of_client = {"data_id": "shared", "entity": "valve", "created_at": BEGINNING, "updated_at": BEGINNING}
        connection.execute(insert(embedded), of_client | {"database_id": 4, "note": "of a client"})


def all_rows(engine: Engine, name: str) -> list[dict[str, object]]:
    with engine.connect() as connection:
        table = Table(name, MetaData(), autoload_with=connection)
        return [dict(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]


async def test_earlier_images_get_one_origin_each(engine: Engine, empty_database: StoragePlace) -> None:
    go(engine, "0005")
    fill_old_images(engine)
    storage = await empty_database.open()
    try:
        key = DatabaseKey(TEAM, DatabaseName("parts"))
        page = await storage.catalogue.page(key, PageRequest(order=Order.OLDEST_FIRST))
        for number, (record, values) in enumerate(zip(page.items, OLD_IMAGES, strict=True)):
            data_id, note, author, name, file, channel, message, kind, source = values
            link = "https://example.slack.com/p1"
            slack = SlackOrigin(file, str(channel), str(message), link, ChannelKind(str(kind))) if file else None
            assert record.data_id == data_id
            assert record.origins == (
                Origin(source, BEGINNING + timedelta(days=number), author, Note(note), name, slack),
            )
    finally:
        await storage.close()
    # A note goes with its origin, so back ends keep only those of API clients, whose images are not in the catalogue.
    assert [row["note"] for row in all_rows(engine, "embedded_images")] == ["", "", "", "", "of a client"]


async def test_downgrade_keeps_the_oldest_origin(engine: Engine, empty_database: StoragePlace) -> None:
    go(engine, "0005")
    fill_old_images(engine)
    before = {name: all_rows(engine, name) for name in ("images", "embedded_images")}
    storage = await empty_database.open()
    later = Origin(OriginSource.MESSAGE, BEGINNING + timedelta(days=9), "U9", slack=SlackOrigin("F9", "C9", "9.0"))
    assert await storage.catalogue.add_origin(DatabaseKey(TEAM, DatabaseName("parts")), "1" * 64, later)
    await storage.close()
    go_back(engine, "0005")
    assert {name: all_rows(engine, name) for name in before} == before
    go(engine, HEAD)
    assert len(all_rows(engine, "image_origins")) == len(OLD_IMAGES)


async def test_downgrade_leaves_nothing_at_the_service_or_in_slack(
    engine: Engine, empty_database: StoragePlace
) -> None:
    storage = await empty_database.open()
    keys = {upstream: DatabaseKey(TEAM, DatabaseName(upstream)) for upstream in ("shared", "whole", "kept")}
    for upstream, key in keys.items():
        await storage.ledger.create_database(key, upstream, f"{upstream}-")
        for number in range(INLINE_ROWS + 1):
            image = NewHostedImage(DataId(f"{number}"), EntityId("valve"), Note(), "0" * 64, b"")
            await storage.ledger.begin_add(key, image)
            await storage.ledger.confirm_add(key, image.data_id)
    await storage.ledger.delete_database(keys["shared"], whole=False)
    await storage.ledger.delete_database(keys["whole"], whole=True)
    await storage.thumbnails.note(TEAM, "F1")
    await storage.close()
    go_back(engine, "0006")
    deletions = {(row["upstream"], row["entity"]) for row in all_rows(engine, "hosted_deletions")}
    assert deletions == {("whole", ""), *(("shared", f"shared-{number}") for number in range(INLINE_ROWS + 1))}
    assert [row["workspace"] for row in all_rows(engine, "hosted_databases")] == [TEAM]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT workspace, file_id FROM thumbnails").all() == [(TEAM, "F1")]


async def test_concurrent_opens_of_an_empty_database_migrate_once(empty_database: StoragePlace) -> None:
    opened = await asyncio.gather(*(empty_database.open() for _ in range(6)))
    try:
        key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
        await opened[0].catalogue.create_database(key)
        for storage in opened:
            assert (await storage.catalogue.database(key)).images == 0
    finally:
        for storage in opened:
            await storage.close()


def test_obligations_that_were_given_up_are_open_again(engine: Engine) -> None:
    go(engine, "0005")
    common = {"workspace": TEAM, "enterprise": "", "channel": "C1", "payload": "{}", "answering": False, "owner": ""}
    common |= {"due_at": BEGINNING, "created_at": BEGINNING}
    jobs = [("share", "failed", 5), ("forget", "failed", 5), ("forget", "done", 1), ("share", "waiting", 2)]
    jobs += [("share", "waiting", 0), ("uninstall", "running", 1)]
    rows = [
        {**common, "kind": kind, "state": state, "attempts": attempts, "message": f"{number}.0"}
        | {"finished_at": BEGINNING if state in {"failed", "done"} else None}
        for number, (kind, state, attempts) in enumerate(jobs)
    ]
    older = Table("inbox", MetaData(), autoload_with=engine)
    with engine.execution_options(immediate=True).begin() as connection:
        connection.execute(insert(older), rows)
    migrate(engine)
    table = Table("inbox", MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        found = connection.execute(select(table).order_by(table.c.id)).all()
    assert [(row.state, bool(row.obligation), bool(row.begun)) for row in found] == [
        ("failed", False, False),
        ("delayed", True, False),
        ("done", True, False),
        ("delayed", False, False),
        ("waiting", False, False),
        ("running", True, True),
    ]
    assert [row.finished_at is None for row in found] == [False, True, False, True, True, True]
    go_back(engine, "0005")
    with engine.connect() as connection:
        states = connection.execute(select(older.c.state).order_by(older.c.id)).scalars().all()
    assert states == ["failed", "waiting", "done", "waiting", "waiting", "running"]
