"""Imports that are stopped, resumed, fail or race, with the in-memory back end and real storage."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.errors import BackendDown, InvalidInput, UnknownDatabase
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, DataId, EntityId, Note
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import Normaliser
from bot.images.memory import DownloadMemory
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.import_sources import ImportSource, PictureFolder, PictureTable
from bot.services.images.importer import ImportService
from bot.services.imports.report import ImportReport
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.pictures import encoded, photo

KEY = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("parts"))
FILES = 12


class Slow(MemorySearch):
    """A back end that counts concurrent adds, and fails after ``fails_after`` of them."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = self.most = self.added = 0
        self.fails_after = 1000

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.002)
            if self.added >= self.fails_after:
                raise BackendDown("The disk is full.")
            self.added += 1
            return await super().add_image(database, picture, entity, note, data_id)
        finally:
            self.under_way -= 1


class Harness:
    """An import service and its dependencies."""

    def __init__(self, storage: SqlStorage, normaliser: Normaliser) -> None:
        self.storage = storage
        self.normaliser = normaliser
        self.visual = Slow()
        self.additions = AddService(self.visual, storage)
        self.service = ImportService(storage.catalogue, self.additions, normaliser, concurrency=3, max_bytes=1_000_000)

    async def images(self) -> int:
        return (await self.storage.catalogue.database(KEY)).images


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    storage, normaliser = await SqlStorage.open(tmp_path / "data"), Normaliser()
    made = Harness(storage, normaliser)
    await DatabaseService(made.visual, storage).create(KEY)
    yield made
    await normaliser.close()
    await storage.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(FILES):
        (folder / f"{seed:02}.png").write_bytes(encoded(photo(48, 48, seed), "PNG"))
    return folder


async def test_files_are_added_concurrently_up_to_the_limit(harness: Harness, folder: Path) -> None:
    report = await harness.service.run(KEY, PictureFolder(folder))
    assert (report.total, report.added, report.done) == (FILES, FILES, FILES)
    assert 1 < harness.visual.most <= 3


async def test_stop_finishes_running_adds_and_a_second_run_resumes(harness: Harness, folder: Path) -> None:
    stop = asyncio.Event()

    def stop_after_four(report: ImportReport) -> None:
        if report.done >= 4:
            stop.set()

    first = await harness.service.run(KEY, PictureFolder(folder), on_progress=stop_after_four, stop=stop)
    assert first.interrupted
    assert 4 <= first.added < FILES
    assert await harness.images() == first.added == harness.visual.added
    second = await harness.service.run(KEY, PictureFolder(folder))
    assert (second.skipped, second.added, second.interrupted) == (first.added, FILES - first.added, False)


async def test_back_end_failure_ends_the_import_and_loses_nothing(harness: Harness, folder: Path) -> None:
    harness.visual.fails_after = 5
    with pytest.raises(BackendDown, match="disk is full"):
        await harness.service.run(KEY, PictureFolder(folder))
    harness.visual.fails_after = 1000
    before = await harness.images()
    report = await harness.service.run(KEY, PictureFolder(folder))
    assert report.added == FILES - before
    assert await harness.images() == FILES


async def test_files_of_a_batch_are_read_one_after_another(harness: Harness, folder: Path) -> None:
    """A batch of large files would fill the memory if all were read before the first is decoded."""
    memory = DownloadMemory(2_000_000, 1_000_000)
    service = ImportService(
        harness.storage.catalogue, harness.additions, harness.normaliser, max_bytes=1_000_000, hold_memory=memory.hold
    )
    most = 0
    picture_and_jpeg = harness.normaliser.picture_and_jpeg

    async def observed(data: bytes) -> tuple[Picture, bytes]:
        nonlocal most
        most = max(most, memory.used)
        return await picture_and_jpeg(data)

    harness.normaliser.picture_and_jpeg = observed  # type: ignore[method-assign]
    report = await service.run(KEY, PictureFolder(folder))
    assert report.added == FILES
    assert 0 < most <= 2_000_000
    assert memory.used == 0


async def test_equal_files_added_concurrently_become_one_image(harness: Harness, folder: Path) -> None:
    for copy in range(6):
        (folder / f"copy{copy}.png").write_bytes((folder / "00.png").read_bytes())
    report = await harness.service.run(KEY, PictureFolder(folder))
    assert (report.added, report.skipped) == (FILES, 6)
    assert await harness.images() == FILES


async def test_too_large_and_missing_files_are_reported(harness: Harness, folder: Path) -> None:
    (folder / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1_000_001))
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    report = await harness.service.run(KEY, PictureFolder(folder))
    reasons = {refusal.path.name: refusal.reason for refusal in report.refused}
    assert report.added == FILES
    assert "larger than 1 MB" in reasons["huge.png"]
    assert "No such file" in reasons["gone.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
async def test_pipe_is_reported_without_waiting(harness: Harness, folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    async with asyncio.timeout(10):
        report = await harness.service.run(KEY, PictureFolder(folder))
    assert report.added == FILES
    assert [refusal.reason for refusal in report.refused] == ["The file can't be read: it is no ordinary file."]


async def test_import_handles_more_sources_than_the_queue_holds(harness: Harness, folder: Path) -> None:
    class Repeated:
        def __iter__(self) -> Iterator[ImportSource]:
            return (ImportSource(folder / "00.png", "part") for _ in range(500))

    report = await harness.service.run(KEY, Repeated())
    assert (report.total, report.added, report.skipped) == (500, 1, 499)


async def test_unreadable_sources_and_unknown_databases_are_reported(harness: Harness, folder: Path) -> None:
    (folder / "t.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="UTF-8"):
        await harness.service.run(KEY, PictureTable(folder / "t.csv"))
    with pytest.raises(UnknownDatabase, match="Did you mean “parts”"):
        await harness.service.run(DatabaseKey(LOCAL_WORKSPACE, DatabaseName("part")), PictureFolder(folder))
