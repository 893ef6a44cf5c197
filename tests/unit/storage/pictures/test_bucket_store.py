"""Pictures in a bucket: requests to the service, and behaviour when the service fails."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app.storage import bucket_of, open_storage
from bot.config.settings import Settings
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import BackendCredentials, BackendDown, BackendRefused, BackendTimeout
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.storage.pictures.bucket import Bucket, BucketObjects, BucketTimeouts
from bot.storage.pictures.bucket_store import BucketPictures
from bot.storage.sql.database import Database
from bot.storage.sql_storage import IN_BUCKET, SqlStorage, StorageOptions
from tests.fakes.bucket import HANGS_UP, NEVER, FakeBucket, fake_bucket
from tests.fixtures.buckets import KEY, BucketService
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

JPEG = b"\xff\xd8 not really \xff\xd9"
DIGEST = hashlib.sha256(JPEG).hexdigest()
NAME = f"/pictures/{DIGEST[:2]}/{DIGEST}.jpg"
PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
HASTE = BucketTimeouts(connect_s=0.4, request_s=0.4, call_s=5, attempts=2)
SLOW_DOWN = ("503 Slow Down", "SlowDown")


@pytest.fixture
async def fake() -> AsyncIterator[FakeBucket]:
    async with fake_bucket() as bucket:
        yield bucket


def record(digest: str = DIGEST) -> ImageRecord:
    return image_record(
        database=PARTS,
        data_id=DataId("id-1"),
        digest=digest,
        source_digest=digest,
        added_at=datetime.now(UTC),
    )


async def opened(storage_place: StoragePlace, bucket: Bucket) -> SqlStorage:
    return await storage_place.open(StorageOptions(pictures=IN_BUCKET, bucket=bucket))


@pytest.fixture
async def storage(fake: FakeBucket, tmp_path: Path) -> AsyncIterator[SqlStorage]:
    storage = await opened(StoragePlace(tmp_path), fake.bucket(KEY))
    await storage.catalogue.create_database(PARTS)
    fake.asked.clear()
    yield storage
    await storage.close()


async def test_objects_are_named_like_files(bucket_service: BucketService, tmp_path: Path) -> None:
    bucket = bucket_service.bucket("vsearch/kept")
    storage = await opened(StoragePlace(tmp_path), bucket)
    try:
        await storage.pictures.put(DIGEST, JPEG)
    finally:
        await storage.close()
    assert await BucketObjects(replace(bucket, prefix="")).get(f"vsearch/kept/{DIGEST[:2]}/{DIGEST}.jpg") == JPEG
    assert not (tmp_path / "pictures").exists()


async def test_bucket_is_opened_from_the_settings(bucket_service: BucketService, tmp_path: Path) -> None:
    bucket = bucket_service.bucket()
    settings = {
        "VSEARCH_DATA_DIR": str(tmp_path),
        "VSEARCH_PICTURES": "bucket",
        "VSEARCH_BUCKET": f"{bucket.name}/vsearch",
        "VSEARCH_BUCKET_ENDPOINT": bucket.address,
        "AWS_ACCESS_KEY_ID": KEY.id,
        "AWS_SECRET_ACCESS_KEY": KEY.secret,
    }
    storage = await open_storage(Settings.from_mapping(settings))
    try:
        await storage.pictures.put(DIGEST, JPEG)
    finally:
        await storage.close()
    assert await BucketObjects(bucket).get(f"vsearch/{DIGEST[:2]}/{DIGEST}.jpg") == JPEG


def test_bucket_at_amazon_needs_no_endpoint() -> None:
    settings = {"VSEARCH_PICTURES": "bucket", "VSEARCH_BUCKET": "ours", "AWS_REGION": "eu-central-1"}
    bucket = bucket_of(Settings.from_mapping(settings))
    assert bucket == Bucket(name="ours", region="eu-central-1")
    assert bucket.address == "https://s3.eu-central-1.amazonaws.com"
    assert bucket_of(Settings.from_mapping({**settings, "VSEARCH_PICTURES": "database"})) is None


async def test_existing_picture_is_not_sent_again(storage: SqlStorage, fake: FakeBucket) -> None:
    await storage.pictures.put(DIGEST, JPEG)
    await storage.pictures.put(DIGEST, JPEG)
    assert fake.methods() == ["HEAD", "PUT", "HEAD"]
    assert fake.objects == {NAME: JPEG}
    assert fake.asked[1].headers["content-type"] == "image/jpeg"


async def test_many_pictures_are_stored_and_discarded(storage: SqlStorage, fake: FakeBucket) -> None:
    jpegs = {hashlib.sha256(str(number).encode()).hexdigest(): str(number).encode() for number in range(250)}
    await storage.pictures.put_all(jpegs)
    assert len(fake.objects) == len(jpegs)
    await storage.catalogue.add(record(min(jpegs)))
    await storage.pictures.discard_unused(jpegs)
    assert list(fake.objects.values()) == [jpegs[min(jpegs)]]


async def test_missing_bucket_is_reported_at_start(bucket_service: BucketService, tmp_path: Path) -> None:
    nowhere = replace(bucket_service.bucket(), name="not-made")
    with pytest.raises(BackendRefused, match=r"There is no bucket “not-made” at http://127\.0\.0\.1:.* VSEARCH_BUCKET"):
        await opened(StoragePlace(tmp_path), nowhere)
    objects = BucketObjects(nowhere)
    for asking in (objects.get("a"), objects.put("a", JPEG), objects.delete("a")):
        with pytest.raises(BackendRefused, match="There is no bucket"):
            await asking


async def test_unknown_key_is_reported_at_start(bucket_service: BucketService, tmp_path: Path) -> None:
    bucket = bucket_service.bucket()
    with bucket_service.only_known_keys():
        with pytest.raises(BackendCredentials, match="AWS_SECRET_ACCESS_KEY") as refused:
            await opened(StoragePlace(tmp_path), bucket)
        assert "(InvalidAccessKeyId)" in str(refused.value)
    assert KEY.secret not in str(refused.value) + repr(bucket)


async def test_unreachable_service_is_reported_at_start(fake: FakeBucket, tmp_path: Path) -> None:
    with pytest.raises(BackendDown, match="there is no connection"):
        await opened(StoragePlace(tmp_path), replace(fake.bucket(KEY), endpoint="http://127.0.0.1:1"))


@pytest.mark.parametrize("failure", [SLOW_DOWN, (HANGS_UP, "")])
async def test_temporary_failures_are_retried(storage: SqlStorage, fake: FakeBucket, failure: tuple[str, str]) -> None:
    fake.faults.append(failure)
    await storage.pictures.put(DIGEST, JPEG)
    fake.faults.append(failure)
    assert await storage.pictures.get(DIGEST) == JPEG
    assert fake.methods() == ["HEAD", "HEAD", "PUT", "GET", "GET"]


async def test_failed_put_rolls_back_the_record(storage: SqlStorage, fake: FakeBucket) -> None:
    async def add() -> None:
        async with storage.unit():
            await storage.catalogue.add(record())
            await storage.pictures.put(DIGEST, JPEG)

    fake.permanent_fault = ("403 Forbidden", "AccessDenied")
    with pytest.raises(BackendCredentials):
        await add()
    assert await storage.catalogue.with_digest(PARTS, DIGEST) is None
    fake.permanent_fault = None
    await add()
    assert fake.objects == {NAME: JPEG}


async def test_slow_bucket_never_holds_the_writer(storage: SqlStorage, fake: FakeBucket, database: Database) -> None:
    pictures = BucketPictures(fake.bucket(KEY), database, replace(HASTE, request_s=1, attempts=1))

    async def add() -> None:
        async with database.unit():
            await pictures.put(DIGEST, JPEG)

    async def longest_write(during: asyncio.Task[None]) -> float:
        longest = 0.0
        while not during.done():
            began = time.monotonic()
            await storage.keyring.key(f"key {began}")
            longest = max(longest, time.monotonic() - began)
        return longest

    fake.permanent_fault = (NEVER, "")
    adding = asyncio.create_task(add())
    assert await longest_write(adding) < 0.7
    with pytest.raises(BackendTimeout):
        await adding
    removing = asyncio.create_task(pictures.discard_unused([DIGEST]))
    assert await longest_write(removing) < 0.7
    await removing


@pytest.fixture
async def database(storage: SqlStorage) -> Database:
    return storage._database


async def test_ping_reports_failures(storage: SqlStorage, fake: FakeBucket) -> None:
    await storage.pictures.ping()
    fake.permanent_fault = ("403 Forbidden", "AccessDenied")
    with pytest.raises(BackendCredentials):
        await storage.pictures.ping()


async def test_failed_discards_are_retried_by_the_next_discard(
    storage: SqlStorage, fake: FakeBucket, caplog: pytest.LogCaptureFixture
) -> None:
    other = hashlib.sha256(b"other").hexdigest()
    await storage.pictures.put_all({DIGEST: JPEG, other: b"other"})
    fake.permanent_fault = ("403 Forbidden", "AccessDenied")
    with caplog.at_level(logging.WARNING):
        await storage.pictures.discard_unused([DIGEST])
    assert "1 pictures will be deleted from the bucket later" in caplog.text
    assert "hidden" not in caplog.text
    assert len(fake.objects) == 2
    fake.permanent_fault = None
    await storage.pictures.discard_unused([other])
    assert fake.objects == {}
    fake.asked.clear()
    await storage.pictures.discard_unused([other])
    assert fake.methods() == ["DELETE"]


async def test_add_waits_for_a_concurrent_discard_and_stores_the_picture_again(
    fake: FakeBucket, storage_place: StoragePlace
) -> None:
    ours, theirs = await opened(storage_place, fake.bucket(KEY)), await opened(storage_place, fake.bucket(KEY))
    try:
        await ours.catalogue.create_database(PARTS)
        await ours.pictures.put(DIGEST, JPEG)
        fake.let_delete.clear()
        discarding = asyncio.create_task(theirs.pictures.discard_unused([DIGEST]))
        await fake.deleting.wait()
        fake.asked.clear()

        async def add() -> None:
            async with ours.unit():
                await ours.catalogue.add(record())
                await ours.pictures.put(DIGEST, JPEG)

        adding = asyncio.create_task(add())
        await asyncio.sleep(0.1)
        assert fake.asked == []
        fake.let_delete.set()
        await asyncio.gather(discarding, adding)
        assert fake.methods() == ["HEAD", "PUT"]
        assert await theirs.pictures.get(DIGEST) == JPEG
    finally:
        await ours.close()
        await theirs.close()
