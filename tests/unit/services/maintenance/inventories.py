"""Catalogue and back end with the same images, and ways to set them at odds: for what compares and mends the two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.memory import MemorySearch
from bot.adapters.port import Capabilities, VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import PictureRefused
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from bot.domain.pictures import Picture
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.deletion import DeleteService
from bot.services.maintenance.reconciliation import ReconcileService
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, random_picture

TEAM = WorkspaceId("T1")
PARTS, LOGOS = DatabaseKey(TEAM, DatabaseName("parts")), DatabaseKey(TEAM, DatabaseName("logos"))
THEIRS = DatabaseKey(WorkspaceId("T2"), DatabaseName("parts"))


def decode(jpeg: bytes) -> Picture:
    """A stored “picture” is the number from which it is painted."""
    if not jpeg.isdigit():
        raise PictureRefused("That is no picture.")
    return random_picture(int(jpeg))


def engine(storage: SqlStorage, model_id: str = "thumbnails-1") -> EmbeddedSearch:
    return EmbeddedSearch(storage.vectors, FakeFeatureExtractor(model_id), FakeVerifier(), index_memory_bytes=1_000_000)


class Killed(BaseException):
    """The process ends here."""


class FaultyBackEnd:
    """A back end that does as another does, calling ``before`` and ``after`` around each operation, with its name."""

    def __init__(self, inner: VisualSearch) -> None:
        self._inner = inner
        self.before: Callable[[str], Awaitable[None]] = self.well
        self.after: Callable[[str], Awaitable[None]] = self.well

    async def well(self, _operation: str) -> None:
        """Nothing goes wrong."""

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)

        async def operation(*arguments: Any, **named: Any) -> Any:
            await self.before(name)
            result = await inner(*arguments, **named)
            await self.after(name)
            return result

        return operation


def with_faults(inner: VisualSearch) -> tuple[VisualSearch, FaultyBackEnd]:
    """The same thing twice: as a back end, and to be told what is to go wrong."""
    made = FaultyBackEnd(inner)
    return cast("VisualSearch", made), made


@dataclass
class ReconcileCase:
    storage: SqlStorage
    visual: VisualSearch
    painted: int = 0

    def __post_init__(self) -> None:
        self.databases = DatabaseService(self.visual, self.storage)
        self.adding = AddService(self.visual, self.storage)
        self.deleting = DeleteService(self.visual, self.storage)
        self._others: list[asyncio.Task[None]] = []

    @property
    def service(self) -> ReconcileService:
        return self.service_for(self.visual)

    def service_for(self, visual: VisualSearch) -> ReconcileService:
        return ReconcileService(self.storage, visual, decode)

    async def add(self, key: DatabaseKey, count: int = 1) -> list[ImageRecord]:
        """Images of entities that have two each."""
        records = []
        for _ in range(count):
            self.painted += 1
            entity, note = EntityId(f"part_{self.painted // 2}"), Note(f"note {self.painted}")
            jpeg = str(self.painted).encode()
            records.append(await self.adding.add(key, random_picture(self.painted), jpeg, entity, note))
        return records

    async def remove_from_back_end(self, record: ImageRecord) -> None:
        """The back end forgets an image."""
        assert await self.visual.delete_images(record.database, record.entity, record.data_id) == 1

    async def add_orphan(self, key: DatabaseKey, name: str = "stranger") -> DataId:
        """The back end has an image that the catalogue does not know."""
        return await self.visual.add_image(key, random_picture(1000), EntityId(name), Note(), DataId(name))

    async def in_catalogue(self, key: DatabaseKey) -> set[tuple[str, str, str]]:
        page = await self.storage.catalogue.page(key, PageRequest(limit=1000))
        return {(record.data_id, record.entity, record.note) for record in page.items}

    async def in_back_end(self, key: DatabaseKey, visual: VisualSearch | None = None) -> set[tuple[str, str, str]]:
        back_end = visual or self.visual
        page = await back_end.list_images(key, PageRequest(limit=1000))
        assert await back_end.inventory(key) == {image.data_id for image in page.items}
        return {(image.data_id, image.entity, image.note) for image in page.items}

    async def run_concurrently(self, work: Awaitable[Any]) -> None:
        """Somebody else does something at the same time: it is no part of our transaction, nor cancelled with us."""

        async def done() -> None:
            await work

        task = asyncio.get_running_loop().create_task(done(), context=Context())
        self._others.append(task)
        await asyncio.shield(task)

    async def wait_for_others(self) -> None:
        await asyncio.gather(*self._others)


@pytest.fixture(params=["memory", "embedded"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReconcileCase]:
    storage = await SqlStorage.open(tmp_path)
    made = ReconcileCase(storage, MemorySearch() if request.param == "memory" else engine(storage))
    for key in (PARTS, LOGOS, THEIRS):
        await made.databases.create(key)
    yield made
    await storage.close()
