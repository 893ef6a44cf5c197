"""Transfers between SQLite and PostgreSQL: every row is copied once, even after interruptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, event, insert, select, update

from bot.domain.errors import BackendError, BackendRefused, TransferRefused
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, WorkspaceId
from bot.services.maintenance.data_transfer import TransferResult
from bot.storage.inbox.recovery import ANSWER_SETTLE_S
from bot.storage.sql.schema.tables import databases, image_origins, images, inbox, metadata, pictures
from bot.storage.sql_storage import IN_BUCKET, StorageOptions
from bot.storage.transfer.transfer import TABLES, SqlTransfer
from tests.fixtures.buckets import BucketService
from tests.fixtures.data_transfer import BATCH_ROWS, ROWS, TransferCase, all_rows, digest_of, fill_all_tables, jpeg_of


async def test_every_row_of_every_table_is_transferred(transfer: TransferCase) -> None:
    before = await transfer.before.open()
    there = await all_rows(before._database)
    assert {len(rows) for rows in there.values()} == {ROWS}
    assert set(there) == set(metadata.tables) - {pictures.name}
    await before.close()
    result = await transfer.run()
    assert result.complete
    assert result.tables == dict.fromkeys(there, ROWS)
    assert (result.rows, result.pictures) == (ROWS * len(there), ROWS)
    after = await transfer.after.open()
    try:
        here = await all_rows(after._database)
        # Running jobs have become due, because their owners are gone.
        assert {**here, "inbox": []} == {**there, "inbox": []}
        assert [row[:10] for row in here["inbox"]] == [row[:10] for row in there["inbox"]]
        for number in range(ROWS):
            assert await after.pictures.get(digest_of(number)) == jpeg_of(number)
    finally:
        await after.close()


async def test_source_is_not_modified(to_postgres: TransferCase) -> None:
    storage = await to_postgres.before.open()
    await storage._database.write(fill_all_tables)
    await storage.close()
    folder = to_postgres.before.data_dir
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    await to_postgres.run()
    assert {path: path.read_bytes() for path in before} == before


async def test_interrupted_transfer_continues(transfer: TransferCase) -> None:
    before = await transfer.before.open()
    there = await all_rows(before._database)
    await before.close()
    runs: list[TransferResult] = []
    while not runs or runs[-1].interrupted:
        runs.append(await transfer.run(batches=11))
        if runs[-1].interrupted:
            with pytest.raises(BackendRefused, match=r"isn't finished\. To continue it, run “vsearch migrate --from"):
                await transfer.after.open()
    assert len(runs) > 4
    assert sum(run.rows for run in runs) == ROWS * len(TABLES)
    assert sum(run.pictures for run in runs) == ROWS
    after = await transfer.after.open()
    assert {**await all_rows(after._database), "inbox": []} == {**there, "inbox": []}
    await after.close()


async def test_lost_connection_repeats_only_one_batch(to_postgres: TransferCase) -> None:
    before = await to_postgres.before.open()
    await before._database.write(fill_all_tables)
    there = await all_rows(before._database)
    await before.close()
    origin, storage = await to_postgres.source(), await to_postgres.after.open()
    unfinished = SqlTransfer(origin, storage._database, lambda: datetime.now(UTC), batch_size=BATCH_ROWS)
    await unfinished.begin()
    copied = sum([await unfinished.copy_rows() for _ in range(5)])

    def lose(connection: Connection, *_: object) -> None:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    event.listen(storage._database._engine, "commit", lose)
    with pytest.raises(BackendError):
        await unfinished.copy_rows()
    await storage.close()
    await origin.close()
    assert (await to_postgres.run()).rows == ROWS * len(TABLES) - copied
    after = await to_postgres.after.open()
    assert {**await all_rows(after._database), "inbox": []} == {**there, "inbox": []}
    await after.close()


async def test_batch_copied_by_another_process_is_rolled_back(to_postgres: TransferCase) -> None:
    storage = await to_postgres.before.open()
    await storage._database.write(fill_all_tables)
    await storage.close()
    origin, storage = await to_postgres.source(), await to_postgres.after.open()
    first, second = (
        SqlTransfer(origin, storage._database, lambda: datetime.now(UTC), batch_size=BATCH_ROWS) for _ in range(2)
    )
    try:
        await first.begin()
        await first.copy_rows()
        await second.begin()
        assert await second.copy_rows() == BATCH_ROWS
        # The first transfer copies a batch that the second has copied, so it is rolled back.
        with pytest.raises(TransferRefused, match="Another “vsearch migrate”"):
            await first.copy_rows()
        while await second.copy_rows():
            pass
        await second.finish()
    finally:
        await storage.close()
        await origin.close()


async def test_sequences_continue(transfer: TransferCase) -> None:
    before = await transfer.before.open()

    def give_and_take(connection: Connection) -> None:
        number = connection.execute(insert(databases), row()).inserted_primary_key
        assert number is not None
        connection.execute(delete(databases).where(databases.c.id == number[0]))

    def row() -> dict[str, object]:
        moment = datetime.now(UTC)
        return {"workspace": "T9", "name": "new", "created_at": moment, "created_by": "", "revision": 0}

    def highest(connection: Connection) -> int:
        return int(max(connection.execute(select(databases.c.id)).scalars()))

    if transfer.before.database_url is not None:
        # The rows were inserted with explicit ids, which do not advance the sequence.
        await before._database.write(
            lambda connection: connection.exec_driver_sql("SELECT setval('databases_id_seq', 63)")
        )
    last = await before._database.read(highest)
    await before._database.write(give_and_take)
    await before.close()
    await transfer.run()
    after = await transfer.after.open()
    await after._database.write(lambda connection: connection.execute(insert(databases), row()))
    assert await after._database.read(highest) == last + 2
    await after.close()


async def test_running_jobs_become_due(to_postgres: TransferCase) -> None:
    before = await to_postgres.before.open()
    await before._database.write(fill_all_tables)
    late = datetime.now(UTC) + timedelta(days=1)
    await before._database.write(lambda connection: connection.execute(update(inbox).values(due_at=late, owner="dead")))
    await before.close()
    await to_postgres.run()
    after = await to_postgres.after.open()
    due = await after._database.read(lambda connection: connection.execute(select(inbox)).all())
    soon = datetime.now(UTC) + timedelta(seconds=ANSWER_SETTLE_S)
    assert {(job.state, job.due_at < soon) for job in due} == {
        ("running", True),
        ("waiting", False),
        ("done", False),
        ("failed", False),
    }
    await after.close()


async def test_local_databases_are_adopted_after_a_transfer(to_postgres: TransferCase) -> None:
    before = await to_postgres.before.open()
    await before.catalogue.create_database(DatabaseKey(LOCAL_WORKSPACE, DatabaseName("parts")))
    await before.close()
    # The bot was started on the new database before the transfer, and connected its workspace.
    early = await to_postgres.after.open()
    team = WorkspaceId("T1")
    await early.catalogue.record_workspace(team)
    early_key = await early.keyring.key("media")
    await early.close()
    assert (await to_postgres.run()).complete
    after = await to_postgres.after.open()
    await after.catalogue.record_workspace(team, adopts_local=True)
    assert [info.key.name for info in await after.catalogue.databases(team)] == ["parts"]
    assert await after.keyring.key("media") != early_key
    await after.close()


async def test_keys_are_transferred(to_postgres: TransferCase) -> None:
    before, early = await to_postgres.before.open(), await to_postgres.after.open()
    theirs = await before.keyring.key("media")
    assert await early.keyring.key("media") != theirs
    await before.close()
    await early.close()
    await to_postgres.run()
    after = await to_postgres.after.open()
    assert await after.keyring.key("media") == theirs
    await after.close()


async def test_finished_transfer_only_adds_missing_pictures(to_postgres: TransferCase) -> None:
    before = await to_postgres.before.open()
    await before._database.write(fill_all_tables)
    await before._database.write(lambda connection: connection.execute(delete(pictures)))
    first = await to_postgres.run()
    assert first.missing == tuple(sorted(map(digest_of, range(ROWS))))
    assert not first.complete
    assert first.tables["images"] == ROWS
    after = await to_postgres.after.open()
    await after._database.write(lambda connection: connection.execute(delete(images).where(images.c.id == 3)))
    await after.catalogue.create_database(DatabaseKey(LOCAL_WORKSPACE, DatabaseName("newer")))
    await after.close()
    # The pictures turn up as files.
    for number in range(ROWS):
        await before.pictures.put(digest_of(number), jpeg_of(number))
    await before.close()
    again = await to_postgres.run()
    assert (again.finished, again.complete, again.rows, again.pictures) == (True, True, 0, ROWS - 1)
    after = await to_postgres.after.open()
    assert len(await after.catalogue.databases(LOCAL_WORKSPACE)) == 1
    with pytest.raises(KeyError):
        await after.pictures.get(digest_of(0))
    assert await after.pictures.get(digest_of(1)) == jpeg_of(1)
    await after.close()


async def test_pictures_are_copied_to_the_configured_store(
    to_postgres: TransferCase, bucket_service: BucketService
) -> None:
    before = await to_postgres.before.open()
    await before._database.write(fill_all_tables)
    await before.close()
    in_bucket = StorageOptions(pictures=IN_BUCKET, bucket=bucket_service.bucket(), allow_partial=True)
    result = await replace(to_postgres, choices=in_bucket).run()
    assert (result.complete, result.pictures) == (True, ROWS)
    after = await to_postgres.after.open(in_bucket)
    assert await after.pictures.get(digest_of(1)) == jpeg_of(1)
    assert await after._database.read(lambda connection: connection.execute(select(pictures)).all()) == []
    await after.close()


async def test_nul_characters_in_texts_are_removed(to_postgres: TransferCase) -> None:
    before = await to_postgres.before.open()
    await before._database.write(fill_all_tables)
    with_nul = update(image_origins).values(source_name="a\0b.jpg")
    await before._database.write(lambda connection: connection.execute(with_nul))
    await before.close()
    assert (await to_postgres.run()).complete
