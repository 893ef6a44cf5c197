"""Adds, deletions in Slack and deletions of databases run beside each other, and none of them fails."""

from __future__ import annotations

import asyncio

from bot.domain.catalogue import SlackOrigin
from bot.domain.identifiers import EntityId, Note
from bot.services.images.new_image import NewImage
from tests.fakes.features import random_picture
from tests.unit.storage.removals.services import PARTS, TEAM, Services


async def add(services: Services, numbers: range) -> None:
    """Add pictures, each after a look at the inbox as in a collect channel."""

    async def confirm() -> None:
        assert not await services.storage.inbox.is_deleted(TEAM, "F", "C1", "1.0")

    for number in numbers:
        origin = SlackOrigin(f"F{number}", "C1", f"{number}.0")
        image = NewImage(random_picture(number), b"jpeg", EntityId("valve"), Note(), "U1", origin)
        await services.additions.add_all(PARTS, [image], confirm)


async def remove(services: Services, numbers: range) -> None:
    for number in numbers:
        assert await services.removal.remove_file(TEAM, f"F{number}") == 1


async def test_adds_and_removals_of_origins_never_deadlock(services: Services) -> None:
    await services.databases.create(PARTS)
    await add(services, range(16))
    await asyncio.gather(
        add(services, range(100, 116)),
        add(services, range(200, 216)),
        remove(services, range(8)),
        remove(services, range(8, 16)),
    )
    assert (await services.databases.find(PARTS)).images == 32
