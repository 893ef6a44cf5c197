"""Migrations keep the rows of every old revision, up and down."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, MetaData, Table, delete, insert, inspect, select

from bot.domain.catalogue import NewHostedImage, Origin, OriginScope, OriginSource, SlackOrigin
from bot.domain.channels import ChannelBinding, ChannelKind, VisibleOrigins
from bot.domain.find_words import terms_of
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note
from bot.domain.pages import Order, PageRequest
from bot.storage.removals.tombstones import INLINE_ROWS
from bot.storage.sql.migration import HEAD, migrate
from bot.storage.sql.schema.tables import (
    hosted_deletions,
    metadata,
)
from bot.storage.transfer import log
from tests.fakes.texts import text_of
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.sql.old_revisions import (
    BEGINNING,
    OLD_IMAGES,
    OLD_NAMES,
    TEAM,
    all_rows,
    downgrade,
    fill_first_version,
    fill_old_images,
    fill_old_tables,
    tables,
    upgrade,
)


async def test_upgrade_from_the_first_revision_keeps_rows(engine: Engine, empty_database: StoragePlace) -> None:
    upgrade(engine, "0001")
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
    upgrade(engine, "0001")
    fill_first_version(engine)
    storage = await empty_database.open()
    await storage.bindings.put(ChannelBinding(TEAM, "C1", database=DatabaseName("parts")))
    await storage.close()
    downgrade(engine, "0001")
    upgrade(engine, HEAD)
    storage = await empty_database.open()
    try:
        assert (await storage.catalogue.database(DatabaseKey(TEAM, DatabaseName("parts")))).images == 2
        assert await storage.bindings.all(TEAM) == ()
    finally:
        await storage.close()


async def test_upgrade_from_the_second_revision_keeps_rows(engine: Engine, empty_database: StoragePlace) -> None:
    upgrade(engine, "0001")
    fill_first_version(engine)
    upgrade(engine, "0002")
    storage = await empty_database.open()
    key = DatabaseKey(TEAM, DatabaseName("parts"))
    try:
        assert (await storage.catalogue.database(key)).images == 2
        assert await storage.ledger.names(TEAM) == ()
        await storage.ledger.create_database(key, "upstream", "prefix_")
    finally:
        await storage.close()
    downgrade(engine, "0002")
    assert not {"hosted_databases", "hosted_images", "hosted_chores", "relayed_pictures", "api_image_urls"} & tables(
        engine
    )
    upgrade(engine, HEAD)
    storage = await empty_database.open()
    try:
        assert (await storage.catalogue.database(key)).images == 2
        assert await storage.ledger.names(TEAM) == ()
    finally:
        await storage.close()


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
    upgrade(engine, "0004")
    fill_old_tables(engine)
    before = names_of_renamed_tables(engine)
    storage = await empty_database.open()
    try:
        assert tables(engine) == {*metadata.tables, "transfers"}
        assert await storage.vectors.read(lambda rows: rows.local_features([7])) == {7: b"orb"}
        # Reindexing adds the point features that old vectors lack.
        assert await storage.vectors.read(lambda rows: rows.images_without_points(3, "m", 0, 9)) == [(5, "d")]
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
    downgrade(engine, "0004")
    assert names_of_renamed_tables(engine) == before
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT vector_id, sketch FROM embedded_sketches").all() == [(7, b"orb")]
        assert connection.exec_driver_sql("SELECT id, entity FROM hosted_chores").all() == [(2, "pump")]
        assert connection.exec_driver_sql("SELECT source, marks FROM moves").all() == [("data", "{}")]


async def test_earlier_images_get_one_origin_each(engine: Engine, empty_database: StoragePlace) -> None:
    upgrade(engine, "0005")
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


async def test_oldest_origin_gave_the_id_and_the_others_are_unknown(engine: Engine) -> None:
    upgrade(engine, "0005")
    fill_old_images(engine)
    upgrade(engine, "0009")
    before = all_rows(engine, "image_origins")
    later = {**before[0], "id": 9, "created_at": BEGINNING + timedelta(days=9), "slack_file": "F9"}
    with engine.execution_options(immediate=True).begin() as connection:
        connection.execute(insert(Table("image_origins", MetaData(), autoload_with=connection)), later)
    before = all_rows(engine, "image_origins")
    migrate(engine)
    given = [row["entity"] for row in all_rows(engine, "image_origins")]
    assert given == [*["valve"] * len(OLD_IMAGES), f"image_{later['image_id']}"]
    downgrade(engine, "0009")
    assert all_rows(engine, "image_origins") == before


async def test_downgrade_keeps_the_oldest_origin(engine: Engine, empty_database: StoragePlace) -> None:
    upgrade(engine, "0005")
    fill_old_images(engine)
    before = {name: all_rows(engine, name) for name in ("images", "embedded_images")}
    storage = await empty_database.open()
    later = Origin(OriginSource.MESSAGE, BEGINNING + timedelta(days=9), "U9", slack=SlackOrigin("F9", "C9", "9.0"))
    assert await storage.catalogue.add_origin(DatabaseKey(TEAM, DatabaseName("parts")), "1" * 64, later)
    await storage.close()
    downgrade(engine, "0005")
    assert {name: all_rows(engine, name) for name in before} == before
    upgrade(engine, HEAD)
    assert len(all_rows(engine, "image_origins")) == len(OLD_IMAGES)


async def test_downgrade_keeps_pending_deletions_at_the_service_and_in_slack(
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
    downgrade(engine, "0006")
    deletions = {(row["upstream"], row["entity"]) for row in all_rows(engine, "hosted_deletions")}
    assert deletions == {("whole", ""), *(("shared", f"shared-{number}") for number in range(INLINE_ROWS + 1))}
    assert [row["workspace"] for row in all_rows(engine, "hosted_databases")] == [TEAM]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT workspace, file_id FROM thumbnails").all() == [(TEAM, "F1")]


def test_obligations_that_were_given_up_are_open_again(engine: Engine) -> None:
    upgrade(engine, "0005")
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
    downgrade(engine, "0005")
    with engine.connect() as connection:
        states = connection.execute(select(older.c.state).order_by(older.c.id)).scalars().all()
    assert states == ["failed", "waiting", "done", "waiting", "waiting", "running"]


async def test_images_from_before_texts_are_read(engine: Engine, empty_database: StoragePlace) -> None:
    upgrade(engine, "0001")
    fill_first_version(engine)
    upgrade(engine, "0009")
    storage = await empty_database.open()
    try:
        assert (await storage.texts.counts()).waiting == 2
        claim = await storage.texts.claim()
        assert claim is not None
        await storage.texts.finish(claim, text_of("Pump"))
        parts = DatabaseKey(TEAM, DatabaseName("parts"))
        assert list(await storage.words.find(parts, terms_of("pump"), None, 5)) != []
        # Ids, notes and file names of old rows are found too.
        [record] = (await storage.catalogue.records(parts, [DataId("imported")])).values()
        assert "imported" in await storage.words.find(parts, terms_of(record.entity), None, 5)
    finally:
        await storage.close()
    downgrade(engine, "0009")
    assert not {"image_texts", "image_words", "origin_words"} & tables(engine)
    migrate(engine)
    storage = await empty_database.open()
    try:
        assert (await storage.texts.counts()).waiting == 2
    finally:
        await storage.close()


async def test_words_of_images_are_kept_by_who_may_see_them(engine: Engine, empty_database: StoragePlace) -> None:
    upgrade(engine, "0001")
    fill_first_version(engine)
    storage = await empty_database.open()
    parts = DatabaseKey(TEAM, DatabaseName("parts"))
    try:
        for _ in range(2):
            claim = await storage.texts.claim()
            assert claim is not None
            await storage.texts.finish(claim, text_of("Pump DN25"))
    finally:
        await storage.close()
    downgrade(engine, "0016")
    with engine.connect() as connection:
        older = [Table(name, MetaData(), autoload_with=engine) for name in ("origin_words", "image_words")]
        words = [set(connection.execute(select(table.c.word)).scalars()) for table in older]
    assert "pump" in words[1]
    assert words[0] == {"valve"}
    migrate(engine)
    storage = await empty_database.open()
    try:
        for question in ("pump", "dn", "dn25", "pmup"):
            everything = await storage.words.find(parts, terms_of(question), None, 5)
            assert set(everything) == {"imported", "shared"}
            # The conversation of the other may be closed.
            public = await storage.words.find(parts, terms_of(question), VisibleOrigins(frozenset(), True), 5)
            assert public == ["imported"]
    finally:
        await storage.close()
