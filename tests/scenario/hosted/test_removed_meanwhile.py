"""An add to the hosted service whose stored picture is removed meanwhile leaves nothing there."""

from __future__ import annotations

import asyncio
from contextvars import Context
from pathlib import Path

import pytest

from bot.domain.catalogue import SlackOrigin
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from tests.fakes.hosted import HostedService
from tests.fixtures.hosted_back_end import account_of, hosted_back_end
from tests.fixtures.scenes import picture, scene

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))


@pytest.mark.parametrize("shared", [None, "everybodys"])
async def test_add_whose_picture_is_removed_meanwhile_leaves_one_image_at_the_service(
    tmp_path: Path, shared: str | None
) -> None:
    async with HostedService() as service, hosted_back_end(tmp_path, account_of(service), shared=shared) as hosted:
        storage = hosted.storage
        await DatabaseService(hosted.visual, storage).create(PARTS)
        valve = picture(scene(1))
        removals = 0

        async def confirm() -> None:
            nonlocal removals
            removals += 1
            if removals <= 2:
                # Outside of the add's unit.
                await asyncio.create_task(storage.pictures.discard_unused([valve.digest]), context=Context())

        additions = AddService(hosted.visual, storage)
        origin = SlackOrigin("F1", "C1", "1.0")
        record = await additions.add(PARTS, valve, b"jpeg", EntityId("valve"), Note(), origin=origin, confirm=confirm)
        assert removals == 3
        await hosted.upkeep.run_once()
        [image] = service.images_of(service.names[0])
        assert image.entity.endswith(record.data_id)
        assert await storage.pictures.get(valve.digest) == b"jpeg"
        assert [one.data_id for one in (await hosted.visual.list_images(PARTS, PageRequest())).items] == [
            record.data_id
        ]
        assert [one.data_id for one in (await storage.catalogue.page(PARTS, PageRequest())).items] == [record.data_id]
