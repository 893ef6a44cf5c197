"""Hidden matches never crowd out visible ones, however many there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.adapters.memory import MemorySearch
from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Matches
from bot.domain.pictures import Picture
from bot.services.search import search as searching
from bot.services.search.result_cache import TtlResultCache
from bot.services.search.search import SearchService
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.metrics import NullMetrics
from tests.fakes.features import embedded_search, noisy_copy, random_picture
from tests.fixtures.records import image_record

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PICTURE = random_picture(1)


@dataclass
class OnlyPublic:
    """Readers who see images whose entity begins with “public”."""

    all_hidden: frozenset[DataId] = frozenset()
    asked: list[int] = field(default_factory=list)

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        self.asked.append(len(records))
        return {record.data_id: record for record in records if record.entity.startswith("public")}

    async def hidden(self, key: DatabaseKey) -> frozenset[DataId]:
        return self.all_hidden


class CountingSearch(MemorySearch):
    """Records the limit of each search, and how many images it left out."""

    def __init__(self) -> None:
        super().__init__()
        self.searches: list[tuple[int, int]] = []

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        self.searches.append((limit, len(exclude)))
        return await super().search(database, picture, limit, exclude)


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    await storage.catalogue.create_database(PARTS)
    return storage


async def add(storage: SqlStorage, visual: VisualSearch, entities: Sequence[str], picture: Picture) -> list[DataId]:
    """Add the picture several times, as the catalogue would with pictures that hardly differ."""
    added = []
    async with storage.unit():
        for entity in entities:
            data_id = await visual.add_image(PARTS, picture, EntityId(entity), Note())
            added.append(data_id)
            await storage.catalogue.add(
                image_record(
                    database=PARTS,
                    data_id=data_id,
                    entity=EntityId(entity),
                    digest=entity.rjust(64, "0"),
                    added_at=NOW,
                )
            )
    return added


def secrets(number: int) -> list[str]:
    return [f"secret_{n}" for n in range(number)]


@pytest.mark.parametrize("named", [True, False])
async def test_fifty_hidden_copies_do_not_hide_a_visible_one(storage: SqlStorage, named: bool) -> None:
    visual = embedded_search(storage)
    await visual.create_database(PARTS)
    hidden = await add(storage, visual, secrets(50), PICTURE)
    await add(storage, visual, ["public"], noisy_copy(PICTURE))
    await add(storage, visual, [f"public_{n}" for n in range(30)], random_picture(9))
    readers = OnlyPublic(frozenset(hidden) if named else frozenset())
    found = await SearchService(visual, storage.catalogue).search(PARTS, PICTURE, limit=50, minimum=9, readers=readers)
    assert [ranked.match.entity for ranked in found.matches] == ["public"]
    assert found.hidden == 50


@pytest.mark.parametrize("named", [True, False])
async def test_ten_thousand_hidden_images_do_not_hide_a_visible_one(tmp_path: Path, named: bool) -> None:
    # Filling PostgreSQL takes too long for a unit test, and both answer the same queries.
    storage = await SqlStorage.open(tmp_path)
    await storage.catalogue.create_database(PARTS)
    visual = CountingSearch()
    await visual.create_database(PARTS)
    hidden = await add(storage, visual, secrets(10_000), PICTURE)
    await add(storage, visual, ["public"], noisy_copy(PICTURE))
    readers = OnlyPublic(frozenset(hidden) if named else frozenset())
    found = await SearchService(visual, storage.catalogue).search(PARTS, PICTURE, limit=50, readers=readers)
    assert [ranked.match.entity for ranked in found.matches] == ["public"]
    # The work is bounded: each answer has at most 1,000 matches.
    assert max(limit for limit, _ in visual.searches) <= 1000
    assert len(visual.searches) <= (2 if named else 13)
    await storage.close()


async def test_search_gives_up_below_too_many_hidden_images(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAX_HIDDEN", 100)
    visual = CountingSearch()
    await visual.create_database(PARTS)
    await add(storage, visual, secrets(1500), PICTURE)
    found = await SearchService(visual, storage.catalogue).search(PARTS, PICTURE, limit=50, readers=OnlyPublic())
    assert found.matches == ()
    assert len(visual.searches) == 2


async def test_search_without_hidden_matches_asks_once(storage: SqlStorage) -> None:
    visual = CountingSearch()
    await visual.create_database(PARTS)
    await add(storage, visual, [f"public_{n}" for n in range(60)], PICTURE)
    found = await SearchService(visual, storage.catalogue).search(PARTS, PICTURE, limit=50, readers=OnlyPublic())
    assert len(found.matches) == 50
    assert visual.searches == [(50, 0)]


async def test_cached_result_serves_readers_who_see_different_things(storage: SqlStorage) -> None:
    visual = CountingSearch()
    await visual.create_database(PARTS)
    await add(storage, visual, secrets(30), PICTURE)
    await add(storage, visual, ["public"], noisy_copy(PICTURE))
    service = SearchService(visual, storage.catalogue, TtlResultCache(60, 10, NullMetrics()))
    for _ in range(2):
        everything = await service.search(PARTS, PICTURE, limit=50)
        assert len(everything.matches) == 31
        found = await service.search(PARTS, PICTURE, limit=50, readers=OnlyPublic())
        assert [ranked.match.entity for ranked in found.matches] == ["public"]
        assert found.matches[0].rank == 1
    # Only what depends on nobody is cached.
    assert sum(excluded == 0 for _, excluded in visual.searches) == 1
