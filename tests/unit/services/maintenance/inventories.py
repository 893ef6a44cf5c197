"""A catalogue and a back end with the same images, and helpers that make them differ."""

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
    """Decode a stored “picture”, which is the seed number of a random picture."""
    if not jpeg.isdigit():
        raise PictureRefused("That is no picture.")
    return random_picture(int(jpeg))


def engine(storage: SqlStorage, model_id: str = "thumbnails-1") -> EmbeddedSearch:
    return EmbeddedSearch(storage.vectors, FakeFeatureExtractor(model_id), FakeVerifier(), index_memory_bytes=1_000_000)


class Killed(BaseException):
    """Stands for the death of the process."""


class FaultyBackEnd:
    """Wraps a back end, and calls ``before`` and ``after`` with the name of each operation."""

    def __init__(self, inner: VisualSearch) -> None:
        self._inner = inner
        self.before: Callable[[str], Awaitable[None]] = self.do_nothing
        self.after: Callable[[str], Awaitable[None]] = self.do_nothing

    async def do_nothing(self, _operation: str) -> None:
        """Do nothing."""

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
    """Return one wrapper twice: typed as a back end, and as the object whose faults can be set."""
    wrapper = FaultyBackEnd(inner)
    return cast("VisualSearch", wrapper), wrapper


@dataclass
class ReconcileCase:
    storage: SqlStorage
    visual: VisualSearch
    picture_count: int = 0

    def __post_init__(self) -> None:
        self.databases = DatabaseService(self.visual, self.storage)
        self.additions = AddService(self.visual, self.storage)
        self.deletions = DeleteService(self.visual, self.storage)
        self._others: list[asyncio.Task[None]] = []

    @property
    def service(self) -> ReconcileService:
        return self.service_for(self.visual)

    def service_for(self, visual: VisualSearch) -> ReconcileService:
        return ReconcileService(self.storage, visual, decode)

    async def add(self, key: DatabaseKey, count: int = 1) -> list[ImageRecord]:
        """Add images on both sides, two for each entity."""
        records = []
        for _ in range(count):
            self.picture_count += 1
            entity, note = EntityId(f"part_{self.picture_count // 2}"), Note(f"note {self.picture_count}")
            jpeg = str(self.picture_count).encode()
            records.append(await self.additions.add(key, random_picture(self.picture_count), jpeg, entity, note))
        return records

    async def remove_from_back_end(self, record: ImageRecord) -> None:
        """Remove an image from the back end only."""
        assert await self.visual.delete_images(record.database, record.entity, record.data_id) == 1

    async def add_orphan(self, key: DatabaseKey, name: str = "stranger") -> DataId:
        """Add an image to the back end only."""
        return await self.visual.add_image(key, random_picture(1000), EntityId(name), Note(), DataId(name))

    async def in_catalogue(self, key: DatabaseKey) -> set[tuple[str, str, str]]:
        page = await self.storage.catalogue.page(key, PageRequest(limit=1000))
        # Notes belong to origins, which back ends don't have.
        return {(record.data_id, record.entity, "") for record in page.items}

    async def in_back_end(self, key: DatabaseKey, visual: VisualSearch | None = None) -> set[tuple[str, str, str]]:
        back_end = visual or self.visual
        page = await back_end.list_images(key, PageRequest(limit=1000))
        assert await back_end.inventory(key) == {image.data_id for image in page.items}
        return {(image.data_id, image.entity, image.note) for image in page.items}

    async def run_concurrently(self, work: Awaitable[Any]) -> None:
        """Run work outside the current transaction, and don't cancel it with the current task."""

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
    created = ReconcileCase(storage, MemorySearch() if request.param == "memory" else engine(storage))
    for key in (PARTS, LOGOS, THEIRS):
        await created.databases.create(key)
    yield created
    await storage.close()
