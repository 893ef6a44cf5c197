"""Searches through the result cache, and their metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.errors import BackendDown, InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Matches
from bot.domain.pictures import Picture
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.deletion import DeleteService
from bot.services.search.result_cache import TtlResultCache
from bot.services.search.search import SearchService
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.metrics import NullMetrics
from tests.fakes.features import noisy_copy, random_picture
from tests.fakes.jobs import eventually

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
THEIRS = DatabaseKey(WorkspaceId("T2"), DatabaseName("parts"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class CountingSearch(MemorySearch):
    """Counts its searches. They raise ``failing`` if it is set, and wait while ``gate`` is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.searches = 0
        self.failing: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        self.searches += 1
        await self.gate.wait()
        if self.failing:
            raise self.failing
        return await super().search(database, picture, limit, exclude)


class RecordingMetrics(NullMetrics):
    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.errors: list[str] = []

    def searched(self, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.outcomes.append(outcome)

    def backend_error(self, kind: str) -> None:
        self.errors.append(kind)


@pytest.fixture
async def visual(storage: SqlStorage) -> CountingSearch:
    back_end = CountingSearch()
    for key in (PARTS, THEIRS):
        await DatabaseService(back_end, storage).create(key)
        await AddService(back_end, storage).add(key, random_picture(1), b"jpeg", EntityId("valve"), Note())
    return back_end


@pytest.fixture
def metrics() -> RecordingMetrics:
    return RecordingMetrics()


@pytest.fixture
def search(storage: SqlStorage, visual: CountingSearch, metrics: RecordingMetrics) -> SearchService:
    return SearchService(visual, storage.catalogue, TtlResultCache(60, 100, metrics, lambda: NOW), metrics)


async def test_repeated_search_is_cached_and_has_its_time(visual: CountingSearch, search: SearchService) -> None:
    first = await search.search(PARTS, random_picture(1))
    again = await search.search(PARTS, random_picture(1))
    assert visual.searches == 1
    assert (first.cached_at, again.cached_at) == (None, NOW)
    assert (again.database, again.matches, again.weaker) == (first.database, first.matches, first.weaker)


async def test_minimum_score_is_not_part_of_the_key(visual: CountingSearch, search: SearchService) -> None:
    picture = noisy_copy(random_picture(1))
    every, few = await search.search(PARTS, picture, minimum=0), await search.search(PARTS, picture, minimum=10)
    assert visual.searches == 1
    assert (len(every.matches), every.weaker) == (1, 0)
    assert (len(few.matches), few.weaker) == (0, 1)


async def test_picture_depth_and_database_are_part_of_the_key(visual: CountingSearch, search: SearchService) -> None:
    await search.search(PARTS, random_picture(1))
    for key, picture, limit in (
        (PARTS, random_picture(2), 10),
        (PARTS, random_picture(1), 60),
        (THEIRS, random_picture(1), 10),
    ):
        assert (await search.search(key, picture, limit=limit)).cached_at is None
    assert visual.searches == 4


async def test_write_invalidates_cached_results(
    storage: SqlStorage, visual: CountingSearch, search: SearchService
) -> None:
    await search.search(PARTS, random_picture(1))
    await AddService(visual, storage).add(PARTS, random_picture(2), b"jpeg", EntityId("pump"), Note())
    added = await search.search(PARTS, random_picture(2))
    assert [ranked.match.entity for ranked in added.matches][:1] == ["pump"]
    await DeleteService(visual, storage).delete(PARTS, EntityId("pump"))
    gone = await search.search(PARTS, random_picture(2))
    assert "pump" not in [ranked.match.entity for ranked in gone.matches]
    assert gone.cached_at is None


async def test_recreated_database_has_no_cached_results(
    storage: SqlStorage, visual: CountingSearch, search: SearchService
) -> None:
    assert (await search.search(PARTS, random_picture(1))).matches
    databases = DatabaseService(visual, storage)
    await databases.delete(PARTS)
    with pytest.raises(UnknownDatabase):
        await search.search(PARTS, random_picture(1))
    await databases.create(PARTS)
    await AddService(visual, storage).add(PARTS, random_picture(3), b"jpeg", EntityId("other"), Note())
    assert [ranked.match.entity for ranked in (await search.search(PARTS, random_picture(1), minimum=0)).matches] == [
        "other"
    ]


async def test_catalogue_records_are_never_cached(
    storage: SqlStorage, visual: CountingSearch, search: SearchService
) -> None:
    kept = await search.search(PARTS, random_picture(1))
    assert kept.matches[0].record is not None
    await storage.catalogue.set_hints(PARTS, hints_at_hidden=True)
    assert (await search.search(PARTS, random_picture(1))).database.hints_at_hidden


async def test_equal_concurrent_searches_run_once(visual: CountingSearch, search: SearchService) -> None:
    visual.gate.clear()
    several = [asyncio.create_task(search.search(PARTS, random_picture(1))) for _ in range(5)]
    await eventually(lambda: visual.searches)
    visual.gate.set()
    answers = await asyncio.gather(*several)
    assert visual.searches == 1
    assert len({answer.matches for answer in answers}) == 1


async def test_failed_search_is_counted_and_not_cached(
    visual: CountingSearch, search: SearchService, metrics: RecordingMetrics
) -> None:
    visual.failing = BackendDown("away")
    with pytest.raises(BackendDown, match="away"):
        await search.search(PARTS, random_picture(1))
    visual.failing = None
    assert (await search.search(PARTS, random_picture(1))).matches
    # The listener or worker counts back-end errors.
    assert metrics.errors == []
    assert metrics.outcomes == ["failed", "found"]


async def test_searches_are_counted_by_outcome(search: SearchService, metrics: RecordingMetrics) -> None:
    await search.search(PARTS, random_picture(1))
    await search.search(PARTS, random_picture(1), minimum=10)
    await search.search(PARTS, random_picture(9), minimum=10)
    with pytest.raises(UnknownDatabase):
        await search.search(DatabaseKey(PARTS.workspace, DatabaseName("party")), random_picture(1))
    assert metrics.outcomes == ["found", "found", "nothing", "refused"]


@pytest.mark.parametrize(("limit", "minimum"), [(0, 5.0), (1001, 5.0), (10, -1.0), (10, 10.5), (10, float("nan"))])
async def test_invalid_limits_and_scores_are_refused(search: SearchService, limit: int, minimum: float) -> None:
    with pytest.raises(InvalidInput):
        await search.search(PARTS, random_picture(1), limit=limit, minimum=minimum)


async def test_every_search_runs_without_a_cache(storage: SqlStorage, visual: CountingSearch) -> None:
    search = SearchService(visual, storage.catalogue)
    for _ in range(2):
        assert (await search.search(PARTS, random_picture(1))).cached_at is None
    assert visual.searches == 2


async def test_result_includes_records_of_weaker_matches(search: SearchService) -> None:
    result = await search.search(PARTS, noisy_copy(random_picture(1)), minimum=10)
    assert result.weaker == 1
    assert [record.entity for record in result.weaker_records] == ["valve"]
