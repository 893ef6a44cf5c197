"""A picture that is a copy is named before it is added, unless its readers or the back end can't tell."""

from __future__ import annotations

import pytest

from bot.domain.errors import BackendDown, ModelMismatch, PictureRefused
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.services.images.addition import AddService
from bot.services.search.copies import CopyFinder
from bot.services.search.search import SearchService
from bot.storage.sql_storage import SqlStorage
from tests.fakes.failing_back_end import FaultySearch
from tests.fakes.features import embedded_search, noisy_copy, random_picture

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))


async def test_copy_is_found_and_another_picture_is_none(storage: SqlStorage) -> None:
    visual = embedded_search(storage)
    finder = CopyFinder(SearchService(visual, storage.catalogue))
    async with storage.unit():
        await visual.create_database(PARTS)
        await storage.catalogue.create_database(PARTS)
    await AddService(visual, storage).add(PARTS, random_picture(1), b"jpeg", EntityId("VLV-0042"), Note())
    found = await finder.find(PARTS, noisy_copy(random_picture(1)))
    assert found is not None
    assert (found.match.entity, found.match.verdict.is_copy) == ("VLV-0042", True)
    assert await finder.find(PARTS, random_picture(2)) is None


@pytest.mark.parametrize("error", [BackendDown("away"), ModelMismatch("parts"), PictureRefused("no")])
async def test_search_that_fails_finds_no_copy(storage: SqlStorage, error: Exception) -> None:
    visual = FaultySearch()
    await visual.create_database(PARTS)
    await storage.catalogue.create_database(PARTS)
    visual.error = error
    assert await CopyFinder(SearchService(visual, storage.catalogue)).find(PARTS, random_picture(1)) is None
