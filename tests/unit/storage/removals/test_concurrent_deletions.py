"""Adds, deletions in Slack and deletions of databases run beside each other, and none of them fails."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.catalogue import SlackOrigin
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService, NewImage
from bot.services.images.deletion import DeleteService
from bot.services.maintenance.removal import RemovalService
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import random_picture
from tests.scenario.support.adding_process import engine

TEAM = WorkspaceId("T1")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))


class Services:
    """The services that add and delete, on the embedded engine."""

    def __init__(self, storage: SqlStorage) -> None:
        self.storage = storage
        visual = engine(storage)
        self.databases = DatabaseService(visual, storage)
        self.additions = AddService(visual, storage)
        self.removal = RemovalService(visual, storage, DeleteService(visual, storage), self.databases)

    async def add(self, numbers: range) -> None:
        for number in numbers:
            origin = SlackOrigin(f"F{number}", "C1", f"{number}.0")
            image = NewImage(random_picture(number), b"jpeg", EntityId("valve"), Note(), "U1", origin)
            await self.additions.add_all(PARTS, [image], self._confirm)

    async def remove(self, numbers: range) -> None:
        for number in numbers:
            assert await self.removal.remove_file(TEAM, f"F{number}") == 1

    async def _confirm(self) -> None:
        assert not await self.storage.inbox.is_deleted(TEAM, "F", "C1", "1.0")


@pytest.fixture
def services(storage: SqlStorage) -> Services:
    return Services(storage)


async def test_adds_and_removals_of_origins_never_wait_for_each_other_in_a_circle(services: Services) -> None:
    await services.databases.create(PARTS)
    await services.add(range(16))
    await asyncio.gather(
        services.add(range(100, 116)),
        services.add(range(200, 216)),
        services.remove(range(8)),
        services.remove(range(8, 16)),
    )
    assert (await services.databases.find(PARTS)).images == 32
