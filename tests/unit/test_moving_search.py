"""After a move, pgvector finds what the embedded engine found, and more can be added."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.pgvector.finder import PgvectorFinder
from bot.errors import AlreadyAdded, BackendRefused
from bot.models import DatabaseKey, DatabaseName, EntityId, Match, Note, WorkspaceId
from bot.services.add import AddService
from bot.services.databases import DatabaseService
from bot.services.moving import Moved, MoveService, Phase
from bot.storage.moves import CannotMove
from bot.storage.origin import Origin, place_of
from bot.storage.sql import Choices, SqlStorage
from tests.fakes.analyser import FakeAnalyser, FakeJudge, noisy, painted
from tests.grounds import Ground

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
IMAGES = 30


def embedded(storage: SqlStorage) -> EmbeddedSearch:
    return EmbeddedSearch(storage.vectors, FakeAnalyser(), FakeJudge(), index_memory_bytes=2**24)


async def pgvector(storage: SqlStorage) -> EmbeddedSearch:
    rows, _ = await storage.nearest()
    return EmbeddedSearch(rows, FakeAnalyser(), FakeJudge(), finder=PgvectorFinder("thumbnails-1", 2**20))


async def add(visual: EmbeddedSearch, storage: SqlStorage, seed: int) -> None:
    picture = painted(seed)
    await AddService(visual, storage).add(KEY, picture, picture.digest.encode(), EntityId(f"part_{seed}"), Note("new"))


@asynccontextmanager
async def opened(ground: Ground, choices: Choices) -> AsyncIterator[SqlStorage]:
    storage = await ground.open(choices)
    try:
        yield storage
    finally:
        await storage.close()


async def moved(
    before: Ground, after: Ground, *, for_pgvector: bool = True
) -> tuple[Moved, list[tuple[Phase, int, int]]]:
    seen: list[tuple[Phase, int, int]] = []
    origin = await Origin.open(place_of(before.data_dir, before.database_url))
    try:
        async with opened(after, Choices(half_moved=True)) as storage:
            service = MoveService(storage.move_from(origin, for_pgvector=for_pgvector), origin, storage.pictures)
            return await service.move(lambda *one: seen.append(one), asyncio.Event()), seen
    finally:
        await origin.close()


@pytest.fixture
async def house(tmp_path: Path) -> Ground:
    ground = Ground(tmp_path / "one")
    async with opened(ground, Choices()) as storage:
        visual = embedded(storage)
        await DatabaseService(visual, storage).create(KEY)
        for seed in range(IMAGES):
            await add(visual, storage, seed)
    return ground


async def found(visual: EmbeddedSearch) -> list[list[tuple[object, ...]]]:
    def plain(match: Match) -> tuple[object, ...]:
        # PostgreSQL rounds the probe too.
        return match.data_id, match.entity, match.verdict, round(match.score, 1)

    return [[plain(match) for match in (await visual.search(KEY, noisy(painted(seed)), 5))[:1]] for seed in range(8)]


async def test_the_same_is_found_and_more_can_be_added(house: Ground, tmp_path: Path, postgres_address: str) -> None:
    async with opened(house, Choices()) as storage:
        before = await found(embedded(storage))
        revision = (await storage.catalogue.database(KEY)).revision
    after = Ground(tmp_path / "many", postgres_address)
    outcome, seen = await moved(house, after)
    assert outcome.complete
    # All was ready when the move ended, and not made when the bot started.
    assert (Phase.VECTORS, IMAGES, IMAGES) in seen
    async with opened(after, Choices()) as storage:
        visual = await pgvector(storage)
        assert await found(visual) == before
        assert (await storage.catalogue.database(KEY)).revision == revision
        with pytest.raises(AlreadyAdded):
            await add(visual, storage, 0)
        await add(visual, storage, IMAGES)
        best = (await visual.search(KEY, painted(IMAGES), 1))[0]
        assert best.entity == f"part_{IMAGES}"
        assert await storage.pictures.get(painted(IMAGES).digest)
        assert (await storage.catalogue.database(KEY)).images == IMAGES + 1


async def test_a_place_without_pgvector_is_told_before_anything_moves(house: Ground, tmp_path: Path) -> None:
    after = Ground(tmp_path / "other")
    with pytest.raises(BackendRefused, match="needs a DATABASE_URL"):
        await moved(house, after)
    async with opened(after, Choices()) as storage:
        assert await storage.catalogue.workspaces() == ()


async def test_what_was_added_since_stays_behind(house: Ground, tmp_path: Path, postgres_address: str) -> None:
    after = Ground(tmp_path / "many", postgres_address)
    await moved(house, after)
    async with opened(house, Choices()) as storage:
        await add(embedded(storage), storage, IMAGES)
    again, _ = await moved(house, after)
    assert (again.finished, again.rows, again.pictures) == (True, 0, 0)
    async with opened(after, Choices()) as storage:
        assert (await storage.catalogue.database(KEY)).images == IMAGES
    back = Ground(tmp_path / "back")
    outcome, _ = await moved(after, back, for_pgvector=False)
    assert outcome.complete
    async with opened(back, Choices()) as storage:
        assert (await embedded(storage).search(KEY, painted(3), 1))[0].entity == "part_3"
    with pytest.raises(CannotMove, match="something already"):
        await moved(house, back, for_pgvector=False)
