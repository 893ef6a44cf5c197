"""Picture files: durable, content-addressed, and never outside their folder."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.errors import BackendDown
from bot.models import DatabaseKey, DatabaseName, DataId, EntityId, ImageRecord, Note, WorkspaceId
from bot.storage.pictures import ABANDONED_AFTER_S
from bot.storage.sql import SqlStorage

JPEG = b"\xff\xd8 not really \xff\xd9"
DIGEST = hashlib.sha256(JPEG).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
TWIN = DatabaseKey(WorkspaceId("T2"), DatabaseName("parts"))


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    opened = await SqlStorage.open(tmp_path)
    yield opened
    await opened.close()


def record(key: DatabaseKey, digest: str) -> ImageRecord:
    return ImageRecord(
        database=key,
        data_id=DataId(f"id-{digest[:8]}"),
        entity=EntityId("valve"),
        note=Note(),
        digest=digest,
        source_digest=OTHER,
        fingerprint=b"",
        width=1,
        height=1,
        added_at=datetime.now(UTC),
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_a_picture_comes_back(storage: SqlStorage, tmp_path: Path) -> None:
    await storage.pictures.put(DIGEST, JPEG)
    await storage.pictures.put(DIGEST, JPEG)
    assert await storage.pictures.get(DIGEST) == JPEG
    assert (tmp_path / "pictures" / DIGEST[:2] / f"{DIGEST}.jpg").read_bytes() == JPEG
    assert list((tmp_path / "pictures" / "incoming").iterdir()) == []


async def test_a_picture_that_is_not_there(storage: SqlStorage) -> None:
    with pytest.raises(KeyError):
        await storage.pictures.get(DIGEST)


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc/passwd", "a" * 63, "a" * 65, DIGEST.upper(), "/" + "a" * 63, DIGEST + "\n", "é" * 64]
)
async def test_only_digests_are_names(storage: SqlStorage, tmp_path: Path, name: str) -> None:
    before = files(tmp_path)
    for refused in (storage.pictures.get(name), storage.pictures.put(name, JPEG)):
        with pytest.raises(KeyError):
            await refused
    with pytest.raises(KeyError):
        await storage.pictures.discard_unused([name])
    assert files(tmp_path) == before


async def test_what_no_record_names_is_discarded(storage: SqlStorage) -> None:
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


async def test_a_unit_that_is_rolled_back_discards_nothing(storage: SqlStorage) -> None:
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


async def test_what_a_crash_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    incoming = tmp_path / "pictures" / "incoming"
    incoming.mkdir(parents=True)
    old, young = incoming / "tmpold", incoming / "tmpyoung"
    for path in (old, young):
        path.write_bytes(JPEG[:3])
    long_ago = time.time() - ABANDONED_AFTER_S - 60
    os.utime(old, (long_ago, long_ago))
    storage = await SqlStorage.open(tmp_path)
    try:
        # The younger one may be another process's.
        assert [path.name for path in incoming.iterdir()] == ["tmpyoung"]
        await storage.pictures.put(DIGEST, JPEG)
    finally:
        await storage.close()


async def test_a_folder_that_can_not_be_written_is_an_error(storage: SqlStorage, tmp_path: Path) -> None:
    (tmp_path / "pictures" / DIGEST[:2]).write_text("in the way")
    with pytest.raises(BackendDown):
        await storage.pictures.put(DIGEST, JPEG)
    assert list((tmp_path / "pictures" / "incoming").iterdir()) == []
