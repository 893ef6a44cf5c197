"""Incomplete results: they are returned, never cached, and never prove that an image is new."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.catalogue import SlackOrigin
from bot.domain.errors import BackendDown, BackendLost
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Caveat, Matches
from bot.domain.pictures import Picture
from bot.services.channels.collection import CollectService, SharedImage
from bot.services.channels.repost_guard import RepostGuard
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.new_image import NewImage
from bot.services.search.result_cache import TtlResultCache
from bot.services.search.search import SearchService
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.metrics import NullMetrics
from tests.fakes.features import noisy_copy, random_picture

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))


class IncompleteSearch(MemorySearch):
    """Returns results with the given caveats. With SAME_IMAGES_ONLY it finds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.caveats: set[Caveat] = set()

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        found = await super().search(database, picture, limit, exclude)
        return Matches([] if Caveat.SAME_IMAGES_ONLY in self.caveats else found, self.caveats)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    opened = await SqlStorage.open(tmp_path)
    yield opened
    await opened.close()


async def test_caveats_of_the_back_end_are_returned(storage: SqlStorage) -> None:
    visual = IncompleteSearch()
    await DatabaseService(visual, storage).create(PARTS)
    visual.caveats = {Caveat.CROWDED_OUT}
    found = await SearchService(visual, storage.catalogue).search(PARTS, random_picture(1))
    assert found.caveats == {Caveat.CROWDED_OUT}


async def test_picture_of_one_colour_has_nothing_to_compare(storage: SqlStorage) -> None:
    visual = MemorySearch()
    await DatabaseService(visual, storage).create(PARTS)
    search = SearchService(visual, storage.catalogue)
    white = replace(random_picture(1), pixels=np.full((60, 80, 3), 250, np.uint8), digest="0" * 64)
    assert (await search.search(PARTS, white)).caveats == {Caveat.NOTHING_TO_COMPARE}
    assert not (await search.search(PARTS, random_picture(1))).caveats


async def test_crowded_out_caveat_is_dropped_if_weaker_matches_exist(storage: SqlStorage) -> None:
    visual = IncompleteSearch()
    await DatabaseService(visual, storage).create(PARTS)
    await AddService(visual, storage).add(PARTS, random_picture(1), b"jpeg", EntityId("valve"), Note())
    visual.caveats = {Caveat.CROWDED_OUT}
    search = SearchService(visual, storage.catalogue)
    assert (await search.search(PARTS, random_picture(1))).caveats == {Caveat.CROWDED_OUT}
    high = await search.search(PARTS, noisy_copy(random_picture(1)), minimum=10)
    assert (high.weaker, high.caveats) == (1, frozenset())


async def test_result_by_fingerprints_is_not_cached(storage: SqlStorage) -> None:
    visual = IncompleteSearch()
    await DatabaseService(visual, storage).create(PARTS)
    await AddService(visual, storage).add(PARTS, random_picture(1), b"jpeg", EntityId("valve"), Note())
    search = SearchService(visual, storage.catalogue, TtlResultCache(600, 10, NullMetrics()))
    visual.caveats = {Caveat.SAME_IMAGES_ONLY}
    assert (await search.search(PARTS, random_picture(1))).matches == ()
    visual.caveats = set()
    found = await search.search(PARTS, random_picture(1))
    assert (len(found.matches), found.cached_at, found.caveats) == (1, None, frozenset())


async def test_guard_treats_incomplete_searches_as_not_new(storage: SqlStorage) -> None:
    visual = IncompleteSearch()
    await DatabaseService(visual, storage).create(PARTS)
    adding = AddService(visual, storage)
    guard = RepostGuard(SearchService(visual, storage.catalogue), CollectService(adding, storage), storage.locks)
    image = NewImage(random_picture(1), b"jpeg", EntityId("valve"), Note())
    visual.caveats = {Caveat.SAME_IMAGES_ONLY}
    with pytest.raises(BackendDown):
        await guard.check(PARTS, SharedImage(image, SlackOrigin("F1", "C1", "1.2"), 1), 9.0)
    assert (await storage.catalogue.database(PARTS)).images == 0


async def test_lost_database_differs_from_unknown_database(storage: SqlStorage) -> None:
    visual = IncompleteSearch()
    await DatabaseService(visual, storage).create(PARTS)
    await visual.delete_database(PARTS)
    with pytest.raises(BackendLost, match="parts"):
        await SearchService(visual, storage.catalogue).search(PARTS, random_picture(1))
    assert await DatabaseService(visual, storage).delete(PARTS)
    assert await storage.catalogue.databases(PARTS.workspace) == ()
