"""Pending removals: never given up, never made while an image needs the picture, and found by a sweep."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from bot.domain.errors import BackendDown, PictureBeingRemoved
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.services.maintenance.removal_worker import GRACE, RemovalWorker, sweep_pictures
from bot.storage.opened_database import open_sqlite
from bot.storage.pictures.file_store import FilePictures
from bot.storage.removals.pending import CLAIM, SqlPendingRemovals
from bot.storage.removals.pictures import PictureRemovals
from bot.storage.removals.rows import queue_pictures
from bot.storage.sql.database import Database
from bot.storage.sql.transactions import Work
from bot.storage.sql_storage import IN_BUCKET, IN_DATABASE, IN_FILES, SqlStorage, StorageOptions
from bot.telemetry.supervision import supervise
from tests.fakes.clock import Clock
from tests.fixtures.buckets import BucketService
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

JPEG = b"\xff\xd8 not really \xff\xd9"
DIGEST = hashlib.sha256(JPEG).hexdigest()
TEAM = WorkspaceId("T1")
T = TypeVar("T")


class Store:
    """A picture store that fails on demand."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.failing = False

    async def remove(self, digests: object) -> None:
        if self.failing:
            raise BackendDown("the bucket is away")
        assert isinstance(digests, list)
        self.removed += digests


@pytest.fixture
def database(storage: SqlStorage) -> Database:
    return storage._database


async def test_failed_removals_wait_longer_and_longer_and_are_never_given_up(database: Database) -> None:
    clock, store = Clock(), Store()
    removals, pending = PictureRemovals(database, clock, store.remove), SqlPendingRemovals(database, clock)
    store.failing = True
    await removals.discard_unused([DIGEST])
    for attempt in range(1, 30):
        assert (await pending.counts()).failed == 1
        assert await removals.remove_due() == 0
        delay = timedelta(seconds=min(10 * 2 ** (attempt - 1), 6 * 3600))
        clock.now += delay - timedelta(seconds=1)
        assert await pending.claim_pictures(10) == []
        clock.now += timedelta(seconds=2)
        assert await removals.remove_due() == 0
    store.failing = False
    clock.now += timedelta(hours=7)
    assert await removals.remove_due() == 1
    assert store.removed == [DIGEST]
    assert (await pending.counts()).open == 0
    clock.now += timedelta(days=2)
    await pending.forget_done()
    assert await removals.remove_due() == 0


async def test_claim_of_a_dead_process_is_taken_over(database: Database) -> None:
    clock, store = Clock(), Store()
    removals, pending = PictureRemovals(database, clock, store.remove), SqlPendingRemovals(database, clock)
    await database.write(lambda connection: queue_pictures(connection, [DIGEST], clock()))
    [dead] = await pending.claim_pictures(10)
    assert await removals.remove_due() == 0
    await removals.discard_unused([DIGEST])
    assert store.removed == []
    clock.now += CLAIM + timedelta(seconds=1)
    assert await removals.remove_due() == 1
    # It was queued again while the dead process had it, so it is removed twice.
    assert await removals.remove_due() == 1
    await pending.finish([dead])
    assert store.removed == [DIGEST, DIGEST]


async def test_add_takes_over_an_expired_claim(any_storage: SqlStorage) -> None:
    # No removal worker runs beside an import on the command line.
    clock, pictures = Clock(datetime.now(UTC)), any_storage.pictures
    await pictures.put(DIGEST, JPEG)
    pending = SqlPendingRemovals(any_storage._database, clock)
    await any_storage._database.write(lambda connection: queue_pictures(connection, [DIGEST], clock()))
    clock.now -= CLAIM + timedelta(seconds=1)
    [dead] = await pending.claim_pictures(10, [DIGEST])
    async with any_storage.unit():
        await pictures.put(DIGEST, JPEG)
    assert await pictures.get(DIGEST) == JPEG
    clock.now = datetime.now(UTC) + timedelta(minutes=1)
    await pending.finish([dead])
    assert await pending.claim_pictures(10) == []
    assert await pictures.get(DIGEST) == JPEG


async def test_add_waits_for_a_claim_that_has_not_expired(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.removals.pictures.WAIT_S", 0.1)
    clock, store = Clock(), Store()
    removals, pending = PictureRemovals(database, clock, store.remove), SqlPendingRemovals(database, clock)
    await database.write(lambda connection: queue_pictures(connection, [DIGEST], clock()))
    await pending.claim_pictures(10)
    with pytest.raises(PictureBeingRemoved):
        await removals.before_put([DIGEST])
    assert store.removed == []


async def claim_and_die(place: StoragePlace) -> None:
    """Leave a claim as a process does that ends while it removes a picture."""
    storage = await place.open()
    clock = Clock(datetime.now(UTC))
    await storage._database.write(lambda connection: queue_pictures(connection, [DIGEST], clock()))
    await SqlPendingRemovals(storage._database, clock).claim_pictures(10)
    await storage.close()


async def test_claims_are_released_when_no_other_process_is_left(tmp_path: Path) -> None:
    place = StoragePlace(tmp_path)
    await claim_and_die(place)
    storage = await place.open()
    await storage.pictures.put(DIGEST, JPEG)
    assert await storage.pictures.get(DIGEST) == JPEG
    await storage.close()


async def test_claims_stay_while_another_process_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.removals.pictures.WAIT_S", 0.1)
    place = StoragePlace(tmp_path)
    other = await place.open()
    await claim_and_die(place)
    storage = await place.open()
    with pytest.raises(PictureBeingRemoved):
        await storage.pictures.put(DIGEST, JPEG)
    await storage.close()
    await other.close()


async def test_claim_of_a_cancelled_worker_is_finished(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, store, claiming = Clock(datetime.now(UTC)), Store(), asyncio.Event()
    removals = PictureRemovals(database, clock, store.remove)
    write = database.write

    async def slow_write(work: Work[T]) -> T:
        claiming.set()
        return await write(work)

    await database.write(lambda connection: queue_pictures(connection, [DIGEST], clock()))
    monkeypatch.setattr(database, "write", slow_write)
    working = asyncio.create_task(removals.remove_due())
    await claiming.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert store.removed == [DIGEST]
    assert (await SqlPendingRemovals(database).counts()).open == 0


async def test_add_notices_that_its_picture_was_removed_meanwhile(database: Database) -> None:
    clock, store = Clock(), Store()
    removals = PictureRemovals(database, clock, store.remove)

    async def add(*, remove: bool) -> None:
        async with database.unit():
            tokens = await removals.before_put([DIGEST])
            if remove:
                # As another process does, which is in no unit.
                await SqlOther(database, clock, store).discard([DIGEST])
            await removals.keep([DIGEST], tokens)

    with pytest.raises(PictureBeingRemoved):
        await add(remove=True)
    await add(remove=False)
    assert store.removed[:1] == [DIGEST]


class SqlOther:
    """Removals by another process: writes separately from the current unit."""

    def __init__(self, database: Database, clock: Clock, store: Store) -> None:
        self._database, self._clock, self._store = database, clock, store

    async def discard(self, digests: list[str]) -> None:
        pending = SqlPendingRemovals(_Separate(self._database), self._clock)  # type: ignore[arg-type]
        await self._database.write_separately(lambda connection: queue_pictures(connection, digests, self._clock()))
        claimed = await pending.claim_pictures(10)
        await self._store.remove([removal.name for removal in claimed])
        await pending.finish(claimed)


class _Separate:
    def __init__(self, database: Database) -> None:
        self.write = database.write_separately
        self.read = database.snapshot


@pytest.fixture(params=[IN_FILES, IN_DATABASE, IN_BUCKET])
async def any_storage(request: pytest.FixtureRequest, storage_place: StoragePlace) -> AsyncIterator[SqlStorage]:
    options = StorageOptions(pictures=request.param)
    if request.param == IN_BUCKET:
        service: BucketService = request.getfixturevalue("bucket_service")
        options = StorageOptions(pictures=IN_BUCKET, bucket=service.bucket("vsearch/kept"))
    opened = await storage_place.open(options)
    yield opened
    await opened.close()


async def test_deleted_image_is_due_by_the_clock_of_the_queue(tmp_path: Path) -> None:
    # With PostgreSQL, all processes use the server's clock. That of this machine may differ.
    clock, database = Clock(datetime.now(UTC)), DatabaseKey(TEAM, DatabaseName("parts"))
    clock.now -= timedelta(hours=1)
    opened = replace(open_sqlite(tmp_path, None), clock=clock)
    storage = SqlStorage(opened, FilePictures(tmp_path / "pictures", opened.database, clock))
    await storage.pictures.open()
    await storage.catalogue.create_database(database)
    await storage.pictures.put(DIGEST, JPEG)
    image = image_record(
        database=database,
        data_id=DataId("1"),
        entity=EntityId("valve"),
        digest=DIGEST,
        source_digest=DIGEST,
        fingerprint=b"",
        width=1,
        height=1,
        added_at=clock(),
    )
    await storage.catalogue.add(image)
    await storage.catalogue.remove(database, image.entity)
    assert await storage.pictures.remove_due(10) == 1
    await storage.close()


async def test_sweep_removes_pictures_that_no_image_uses_after_a_grace(any_storage: SqlStorage) -> None:
    # As an add leaves it that dies between the picture and its row.
    await any_storage.pictures.put(DIGEST, JPEG)
    if any_storage.pictures.__class__.__name__ != "SqlPictures":
        assert await sweep_pictures(any_storage, datetime.now(UTC) - GRACE) == 0
        assert await any_storage.pictures.get(DIGEST) == JPEG
    assert await sweep_pictures(any_storage, datetime.now(UTC) + timedelta(minutes=1)) == 1
    with pytest.raises(KeyError):
        await any_storage.pictures.get(DIGEST)


async def test_worker_goes_on_after_unforeseen_errors(storage: SqlStorage, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    async def uploads() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("never seen before")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await supervise("pending removals", RemovalWorker(storage, uploads).run, first_delay_s=0.01)
    assert len(calls) == 2
    assert "never seen before" in caplog.text


async def test_upload_that_was_noted_and_never_completed_is_deleted(storage: SqlStorage) -> None:
    clock = Clock()
    uploads = type(storage.thumbnails)(storage._database, clock)
    await uploads.note(TEAM, "F1")
    await uploads.note(TEAM, "F2")
    await uploads.put(TEAM, DIGEST, "F2")
    assert await uploads.claim_removals(TEAM, 10) == []
    clock.now += timedelta(hours=2)
    claimed = await uploads.claim_removals(TEAM, 10)
    assert [removal.name for removal in claimed] == ["F1"]
    await uploads.finish_removals(claimed)
    assert await uploads.workspaces_with_removals() == []
    assert await storage.thumbnails.get(TEAM, [DIGEST]) == {DIGEST: "F2"}
    assert await uploads.abandon(TEAM) == 1
