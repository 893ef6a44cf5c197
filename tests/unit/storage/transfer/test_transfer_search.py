"""Search after a transfer: pgvector finds the same images as the embedded engine, and accepts adds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.pgvector.finder import PgvectorNeighbourSearch
from bot.domain.errors import AlreadyAdded, BackendRefused, TransferRefused
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.matches import Match
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.maintenance.data_transfer import TransferPhase, TransferResult, TransferService
from bot.storage.sql_storage import SqlStorage, StorageOptions
from bot.storage.transfer.source import TransferSource, source_location
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, noisy_copy, random_picture
from tests.fixtures.storages import StoragePlace

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
IMAGES = 30


def embedded(storage: SqlStorage) -> EmbeddedSearch:
    return EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=2**24)


async def pgvector(storage: SqlStorage) -> EmbeddedSearch:
    rows, _ = await storage.open_pgvector()
    return EmbeddedSearch(
        rows, FakeFeatureExtractor(), FakeVerifier(), neighbours=PgvectorNeighbourSearch("thumbnails-1", 2**20)
    )


async def add(visual: EmbeddedSearch, storage: SqlStorage, seed: int) -> None:
    picture = random_picture(seed)
    await AddService(visual, storage).add(KEY, picture, picture.digest.encode(), EntityId(f"part_{seed}"), Note("new"))


@asynccontextmanager
async def opened(storage_place: StoragePlace, choices: StorageOptions) -> AsyncIterator[SqlStorage]:
    storage = await storage_place.open(choices)
    try:
        yield storage
    finally:
        await storage.close()


async def moved(
    before: StoragePlace, after: StoragePlace, *, for_pgvector: bool = True
) -> tuple[TransferResult, list[tuple[TransferPhase, int, int]]]:
    seen: list[tuple[TransferPhase, int, int]] = []
    origin = await TransferSource.open(source_location(before.data_dir, before.database_url))
    try:
        async with opened(after, StorageOptions(allow_partial=True)) as storage:
            service = TransferService(
                storage.transfer_from(origin, for_pgvector=for_pgvector), origin, storage.pictures
            )
            return await service.transfer(lambda *one: seen.append(one), asyncio.Event()), seen
    finally:
        await origin.close()


@pytest.fixture
async def source(tmp_path: Path) -> StoragePlace:
    storage_place = StoragePlace(tmp_path / "one")
    async with opened(storage_place, StorageOptions()) as storage:
        visual = embedded(storage)
        await DatabaseService(visual, storage).create(KEY)
        for seed in range(IMAGES):
            await add(visual, storage, seed)
    return storage_place


async def found(visual: EmbeddedSearch) -> list[list[tuple[object, ...]]]:
    def plain(match: Match) -> tuple[object, ...]:
        # Rounded, because PostgreSQL rounds the query vector to half precision too.
        return match.data_id, match.entity, match.verdict, round(match.score, 1)

    return [
        [plain(match) for match in (await visual.search(KEY, noisy_copy(random_picture(seed)), 5))[:1]]
        for seed in range(8)
    ]


async def test_pgvector_search_and_adds_work_after_a_transfer(
    source: StoragePlace, tmp_path: Path, postgres_address: str
) -> None:
    async with opened(source, StorageOptions()) as storage:
        before = await found(embedded(storage))
        revision = (await storage.catalogue.database(KEY)).revision
    after = StoragePlace(tmp_path / "many", postgres_address)
    outcome, seen = await moved(source, after)
    assert outcome.complete
    # The transfer derived pgvector's rows, so opening the storage need not.
    assert (TransferPhase.VECTORS, IMAGES, IMAGES) in seen
    async with opened(after, StorageOptions()) as storage:
        visual = await pgvector(storage)
        assert await found(visual) == before
        assert (await storage.catalogue.database(KEY)).revision == revision
        with pytest.raises(AlreadyAdded):
            await add(visual, storage, 0)
        await add(visual, storage, IMAGES)
        best = (await visual.search(KEY, random_picture(IMAGES), 1))[0]
        assert best.entity == f"part_{IMAGES}"
        assert await storage.pictures.get(random_picture(IMAGES).digest)
        assert (await storage.catalogue.database(KEY)).images == IMAGES + 1


async def test_missing_pgvector_is_reported_before_copying(source: StoragePlace, tmp_path: Path) -> None:
    after = StoragePlace(tmp_path / "other")
    with pytest.raises(BackendRefused, match="needs a DATABASE_URL"):
        await moved(source, after)
    async with opened(after, StorageOptions()) as storage:
        assert await storage.catalogue.workspaces() == ()


async def test_images_added_after_the_transfer_are_not_copied(
    source: StoragePlace, tmp_path: Path, postgres_address: str
) -> None:
    after = StoragePlace(tmp_path / "many", postgres_address)
    await moved(source, after)
    async with opened(source, StorageOptions()) as storage:
        await add(embedded(storage), storage, IMAGES)
    again, _ = await moved(source, after)
    assert (again.finished, again.rows, again.pictures) == (True, 0, 0)
    async with opened(after, StorageOptions()) as storage:
        assert (await storage.catalogue.database(KEY)).images == IMAGES
    back = StoragePlace(tmp_path / "back")
    outcome, _ = await moved(after, back, for_pgvector=False)
    assert outcome.complete
    async with opened(back, StorageOptions()) as storage:
        assert (await embedded(storage).search(KEY, random_picture(3), 1))[0].entity == "part_3"
    with pytest.raises(TransferRefused, match="already has data"):
        await moved(source, back, for_pgvector=False)
