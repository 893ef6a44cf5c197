"""Pictures as files: durable, and never outside of their folder."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.errors import BackendDown
from bot.storage.pictures.file_store import ABANDONED_AFTER_S
from bot.storage.sql_storage import SqlStorage

JPEG = b"\xff\xd8 not really \xff\xd9"
DIGEST = hashlib.sha256(JPEG).hexdigest()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    opened = await SqlStorage.open(tmp_path)
    yield opened
    await opened.close()


async def test_picture_is_stored_as_a_file_named_by_digest(storage: SqlStorage, tmp_path: Path) -> None:
    await storage.pictures.put(DIGEST, JPEG)
    assert (tmp_path / "pictures" / DIGEST[:2] / f"{DIGEST}.jpg").read_bytes() == JPEG
    assert list((tmp_path / "pictures" / "incoming").iterdir()) == []


async def test_error_about_one_of_several_pictures_comes_after_the_others_are_stored(
    storage: SqlStorage, tmp_path: Path
) -> None:
    jpegs = {hashlib.sha256(bytes([number])).hexdigest(): bytes([number]) for number in range(12)}
    broken, *others = jpegs
    (tmp_path / "pictures" / broken[:2]).write_bytes(b"no folder")
    with pytest.raises(BackendDown):
        await storage.pictures.put_all(jpegs)
    assert [await storage.pictures.get(digest) for digest in others] == [jpegs[digest] for digest in others]
    assert list((tmp_path / "pictures" / "incoming").iterdir()) == []


async def test_pictures_and_their_folder_are_durable_and_the_folder_is_synced_once_a_thread(
    storage: SqlStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jpegs = {f"ab{number:062x}": bytes([number]) for number in range(20)}
    folder, synced, fsync = tmp_path / "pictures" / "ab", Counter[str](), os.fsync

    def record(descriptor: int) -> None:
        status = os.fstat(descriptor)
        is_folder = folder.exists() and os.path.samestat(status, folder.stat())
        synced["folder" if is_folder else f"file {status.st_ino}"] += 1
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    await storage.pictures.put_all(jpegs)
    monkeypatch.undo()
    files = [file for file in folder.iterdir() if file.suffix == ".jpg"]
    assert len(files) == len(jpegs)
    assert all(synced[f"file {file.stat().st_ino}"] for file in files)
    assert synced["folder"] == 4


async def test_incomplete_files_of_a_crash_are_deleted_at_start(tmp_path: Path) -> None:
    incoming = tmp_path / "pictures" / "incoming"
    incoming.mkdir(parents=True)
    old, young = incoming / "tmpold", incoming / "tmpyoung"
    for path in (old, young):
        path.write_bytes(JPEG[:3])
    long_ago = time.time() - ABANDONED_AFTER_S - 60
    os.utime(old, (long_ago, long_ago))
    storage = await SqlStorage.open(tmp_path)
    try:
        # Another process may still be writing the younger one.
        assert [path.name for path in incoming.iterdir()] == ["tmpyoung"]
        await storage.pictures.put(DIGEST, JPEG)
    finally:
        await storage.close()


async def test_unwritable_folder_raises_backend_down(storage: SqlStorage, tmp_path: Path) -> None:
    (tmp_path / "pictures" / DIGEST[:2]).write_text("in the way")
    with pytest.raises(BackendDown):
        await storage.pictures.put(DIGEST, JPEG)
    assert list((tmp_path / "pictures" / "incoming").iterdir()) == []
