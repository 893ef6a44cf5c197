"""All picture stores: content-addressed, and pictures stay while a record refers to them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.catalogue import ImageRecord
from bot.domain.errors import PictureBeingRemoved
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.storage.sql_storage import IN_BUCKET, IN_DATABASE, IN_FILES, SqlStorage, StorageOptions
from tests.fixtures.buckets import BucketService
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

JPEG = b"\xff\xd8 not really \xff\xd9"
DIGEST = hashlib.sha256(JPEG).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
TWIN = DatabaseKey(WorkspaceId("T2"), DatabaseName("parts"))


@pytest.fixture(params=[IN_FILES, IN_DATABASE, IN_BUCKET])
def options(request: pytest.FixtureRequest) -> StorageOptions:
    if request.param != IN_BUCKET:
        return StorageOptions(pictures=request.param)
    service: BucketService = request.getfixturevalue("bucket_service")
    return StorageOptions(pictures=IN_BUCKET, bucket=service.bucket("vsearch/kept"))


@pytest.fixture
async def storage(options: StorageOptions, storage_place: StoragePlace) -> AsyncIterator[SqlStorage]:
    opened = await storage_place.open(options)
    yield opened
    await opened.close()


def record(key: DatabaseKey, digest: str) -> ImageRecord:
    return image_record(
        database=key,
        data_id=DataId(f"id-{digest[:8]}"),
        digest=digest,
        source_digest=OTHER,
        added_at=datetime.now(UTC),
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_location_leads_to_the_picture(storage: SqlStorage, options: StorageOptions) -> None:
    await storage.pictures.put(DIGEST, JPEG)
    location = storage.pictures.location(DIGEST)
    if options.pictures == IN_FILES:
        assert Path(location).is_absolute()
        assert await asyncio.to_thread(Path(location).read_bytes) == JPEG
    elif options.pictures == IN_BUCKET:
        assert options.bucket is not None
        assert location == f"s3://{options.bucket.name}/vsearch/kept/{DIGEST[:2]}/{DIGEST}.jpg"
    else:
        assert location == ""


async def test_picture_round_trip(storage: SqlStorage) -> None:
    await storage.pictures.put(DIGEST, JPEG)
    await storage.pictures.put(DIGEST, JPEG)
    assert await storage.pictures.get(DIGEST) == JPEG


async def test_missing_picture_raises_key_error(storage: SqlStorage) -> None:
    with pytest.raises(KeyError):
        await storage.pictures.get(DIGEST)


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc/passwd", "a" * 63, "a" * 65, DIGEST.upper(), "/" + "a" * 63, DIGEST + "\n", "é" * 64]
)
async def test_names_that_are_no_digests_are_refused(storage: SqlStorage, tmp_path: Path, name: str) -> None:
    before = files(tmp_path)
    for refused in (storage.pictures.get(name), storage.pictures.put(name, JPEG)):
        with pytest.raises(KeyError):
            await refused
    with pytest.raises(KeyError):
        await storage.pictures.discard_unused([name])
    assert files(tmp_path) == before


async def test_only_unused_pictures_are_discarded(storage: SqlStorage) -> None:
    for key in (PARTS, TWIN):
        await storage.catalogue.create_database(key)
        await storage.catalogue.add(record(key, DIGEST))
    await storage.pictures.put(DIGEST, JPEG)
    await storage.pictures.put(OTHER, b"other")

    await storage.pictures.discard_unused([DIGEST, OTHER, "0" * 64])
    assert await storage.pictures.get(DIGEST) == JPEG
    with pytest.raises(KeyError):
        await storage.pictures.get(OTHER)

    await storage.catalogue.remove(PARTS, EntityId("valve"))
    await storage.pictures.discard_unused([DIGEST])
    assert await storage.pictures.get(DIGEST) == JPEG
    await storage.catalogue.delete_database(TWIN)
    await storage.pictures.discard_unused([DIGEST])
    with pytest.raises(KeyError):
        await storage.pictures.get(DIGEST)


async def test_rolled_back_unit_discards_nothing(storage: SqlStorage) -> None:
    await storage.catalogue.create_database(PARTS)
    await storage.catalogue.add(record(PARTS, DIGEST))
    await storage.pictures.put(DIGEST, JPEG)

    async def remove_and_fail() -> None:
        async with storage.unit():
            await storage.catalogue.remove(PARTS, EntityId("valve"))
            await storage.pictures.discard_unused([DIGEST])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await remove_and_fail()
    assert await storage.pictures.get(DIGEST) == JPEG

    async with storage.unit():
        await storage.catalogue.remove(PARTS, EntityId("valve"))
        await storage.pictures.discard_unused([DIGEST])
    with pytest.raises(KeyError):
        await storage.pictures.get(DIGEST)


async def test_picture_stored_with_its_record_survives_concurrent_discards(
    storage: SqlStorage, storage_place: StoragePlace, options: StorageOptions
) -> None:
    await storage.catalogue.create_database(PARTS)
    other = await storage_place.open(options)

    async def add() -> None:
        await storage.pictures.put(DIGEST, JPEG)
        async with storage.unit():
            await storage.catalogue.add(record(PARTS, DIGEST))
            await storage.pictures.put(DIGEST, JPEG)

    async def add_until_stored() -> None:
        for _ in range(5):
            with contextlib.suppress(PictureBeingRemoved):
                return await add()
        return await add()

    try:
        for _ in range(20):
            await asyncio.gather(add_until_stored(), *(other.pictures.discard_unused([DIGEST]) for _ in range(3)))
            assert await other.pictures.get(DIGEST) == JPEG
            await storage.catalogue.remove(PARTS, EntityId("valve"))
            await storage.pictures.discard_unused([DIGEST])
    finally:
        await other.close()
