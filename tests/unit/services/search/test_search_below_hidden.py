"""Hidden matches never crowd out visible ones, however many there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.adapters.memory import MemorySearch
from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.channels import VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Match, Matches
from bot.domain.pictures import Picture
from bot.domain.texts import PictureText
from bot.services.search import search as searching
from bot.services.search.result_cache import TtlResultCache
from bot.services.search.search import SearchService
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.metrics import NullMetrics
from tests.fakes.features import embedded_search, noisy_copy, random_picture
from tests.fakes.texts import text_of
from tests.fixtures.records import image_record

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PICTURE = random_picture(1)


@dataclass
class OnlyPublic:
    """Readers who see images whose entity begins with “public”, except ``secret`` ones."""

    all_hidden: frozenset[DataId] = frozenset()
    secret: frozenset[DataId] = frozenset()
    asked: list[int] = field(default_factory=list)

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        self.asked.append(len(records))
        visible = (record for record in records if record.data_id not in self.secret)
        return {record.data_id: record for record in visible if record.entity.startswith("public")}

    async def hidden(self, key: DatabaseKey) -> frozenset[DataId]:
        return self.all_hidden

    async def visible(self, key: DatabaseKey) -> VisibleOrigins:
        return VisibleOrigins(frozenset())


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


class LiftingTexts:
    """Implements ``TextRanker``: every text proves the same item."""

    async def text_of(self, key: DatabaseKey, picture: Picture) -> PictureText | None:
        return text_of("BRAVO", "JUICE")

    async def rank(
        self, key: DatabaseKey, text: PictureText, matches: Sequence[Match], visible: VisibleOrigins | None = None
    ) -> Sequence[Match]:
        assert visible is not None
        return [replace(match, score=8.5) for match in matches]


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    await storage.catalogue.create_database(PARTS)
    return storage


async def add(storage: SqlStorage, visual: VisualSearch, entities: Sequence[str], picture: Picture) -> list[DataId]:
    """Add the picture several times, as the catalogue would with pictures that hardly differ.

    What follows a “#” in an entity tells its images apart.
    """
    records = []
    async with storage.unit():
        for name in entities:
            entity = EntityId(name.partition("#")[0])
            data_id = await visual.add_image(PARTS, picture, entity, Note())
            records.append(
                image_record(database=PARTS, data_id=data_id, entity=entity, digest=name.rjust(64, "0"), added_at=NOW)
            )
        await storage.catalogue.add(*records)
    return [record.data_id for record in records]


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


async def test_ten_thousand_hidden_images_do_not_hide_a_visible_one(tmp_path: Path) -> None:
    # Filling PostgreSQL takes too long for a unit test, and both answer the same queries.
    storage = await SqlStorage.open(tmp_path)
    await storage.catalogue.create_database(PARTS)
    visual = CountingSearch()
    await visual.create_database(PARTS)
    hidden = await add(storage, visual, secrets(10_000), PICTURE)
    await add(storage, visual, ["public"], noisy_copy(PICTURE))
    for named, most_searches in ((frozenset(hidden), 2), (frozenset[DataId](), 13)):
        visual.searches.clear()
        found = await SearchService(visual, storage.catalogue).search(
            PARTS, PICTURE, limit=50, readers=OnlyPublic(named)
        )
        assert [ranked.match.entity for ranked in found.matches] == ["public"]
        # The work is bounded: each answer has at most 1,000 matches.
        assert max(limit for limit, _ in visual.searches) <= 1000
        assert len(visual.searches) <= most_searches
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


async def test_entities_fill_the_answer_however_many_images_each_has(storage: SqlStorage) -> None:
    visual = CountingSearch()
    await visual.create_database(PARTS)
    await add(storage, visual, [f"public_much#{n}" for n in range(120)], PICTURE)
    await add(storage, visual, [f"public_{n}" for n in range(20)], noisy_copy(PICTURE))
    service = SearchService(visual, storage.catalogue)
    found = await service.search(PARTS, PICTURE, limit=10, readers=OnlyPublic())
    assert [ranked.photos for ranked in found.matches] == [120, *[1] * 9]
    assert [limit for limit, _ in visual.searches] == [50, 200]


@pytest.mark.parametrize(("entities", "searched"), [(1, [50, 200, 800, 1000]), (12, [50, 200])])
async def test_search_goes_deepest_for_the_first_page_alone(tmp_path: Path, entities: int, searched: list[int]) -> None:
    storage = await SqlStorage.open(tmp_path)
    await storage.catalogue.create_database(PARTS)
    visual = CountingSearch()
    await visual.create_database(PARTS)
    await add(storage, visual, [f"public_{n % entities}#{n}" for n in range(1100)], PICTURE)
    found = await SearchService(visual, storage.catalogue).search(PARTS, PICTURE, limit=50)
    assert len(found.matches) == entities
    assert [limit for limit, _ in visual.searches] == searched
    await storage.close()


async def test_more_images_of_few_entities_are_searched_within_a_limit(storage: SqlStorage) -> None:
    visual = CountingSearch()
    await visual.create_database(PARTS)
    await add(storage, visual, [f"public#{n}" for n in range(60)], PICTURE)
    found = await SearchService(visual, storage.catalogue).search(PARTS, PICTURE, limit=1000)
    assert [ranked.photos for ranked in found.matches] == [60]
    assert [limit for limit, _ in visual.searches] == [1000]


async def test_hidden_images_of_an_entity_neither_count_nor_add_to_its_score(storage: SqlStorage) -> None:
    visual = CountingSearch()
    await visual.create_database(PARTS)
    [seen] = await add(storage, visual, ["public#1"], random_picture(9))
    hidden = await add(storage, visual, ["public#2", "public#3"], random_picture(9))
    readers = OnlyPublic(frozenset(hidden), secret=frozenset(hidden))
    service = SearchService(visual, storage.catalogue)
    [everything] = (await service.search(PARTS, PICTURE, minimum=0)).matches
    result = await service.search(PARTS, PICTURE, minimum=0, readers=readers)
    assert [(one.match.data_id, one.photos, one.credit) for one in result.matches] == [(seen, 1, 0)]
    # The entity is seen, so it isn't one more match that is hidden.
    assert result.hidden == 0
    assert (everything.photos, everything.credit > 0) == (3, True)


@pytest.mark.parametrize("by_entity", [True, False])
async def test_texts_lift_no_image_that_the_readers_may_not_see(storage: SqlStorage, by_entity: bool) -> None:
    visual = CountingSearch()
    await visual.create_database(PARTS)
    # More hidden images than are examined, all too weak to be shown without their texts.
    await add(storage, visual, secrets(120), random_picture(9))
    await add(storage, visual, ["public"], noisy_copy(random_picture(9)))
    service = SearchService(visual, storage.catalogue, texts=LiftingTexts())
    found = await service.search(PARTS, PICTURE, minimum=8, readers=OnlyPublic(), by_entity=by_entity)
    assert {ranked.match.entity for ranked in found.matches} <= {"public"}
