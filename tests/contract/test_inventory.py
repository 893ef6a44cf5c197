"""The inventory, and images that keep the data id of another back end."""

from __future__ import annotations

import pytest

from bot.adapters.port import VisualSearch
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from tests.fakes.features import random_picture

VALVE, PUMP = EntityId("valve"), EntityId("pump")
MOVED, ALSO_MOVED = DataId("018f3a2b4c5d" + "0a" * 10), DataId("018f3a2b4c5e" + "f1" * 10)


async def test_empty_database_has_an_empty_inventory(visual: VisualSearch, parts: DatabaseKey) -> None:
    assert await visual.inventory(parts) == frozenset()


async def test_inventory_has_the_images_that_were_not_deleted(visual: VisualSearch, parts: DatabaseKey) -> None:
    added = [await visual.add_image(parts, random_picture(seed), EntityId(f"part_{seed}"), Note()) for seed in range(4)]
    assert await visual.inventory(parts) == frozenset(added)
    await visual.delete_images(parts, EntityId("part_1"))
    await visual.delete_images(parts, EntityId("part_2"), added[2])
    assert await visual.inventory(parts) == {added[0], added[3]}


async def test_missing_database_raises_unknown_database(visual: VisualSearch, parts: DatabaseKey) -> None:
    for key in (DatabaseKey(parts.workspace, DatabaseName("gone")), DatabaseKey(WorkspaceId("T2"), parts.name)):
        with pytest.raises(UnknownDatabase):
            await visual.inventory(key)
        with pytest.raises(UnknownDatabase):
            await visual.add_image(key, random_picture(1), VALVE, Note(), MOVED)


async def test_image_keeps_the_given_data_id(visual: VisualSearch, parts: DatabaseKey) -> None:
    assert await visual.add_image(parts, random_picture(1), VALVE, Note("from elsewhere"), MOVED) == MOVED
    own = await visual.add_image(parts, random_picture(2), PUMP, Note())
    assert await visual.inventory(parts) == {MOVED, own}
    listed = {image.data_id: image for image in (await visual.list_images(parts, PageRequest())).items}
    assert (listed[MOVED].entity, listed[MOVED].note) == (VALVE, "from elsewhere")
    best = (await visual.search(parts, random_picture(1)))[0]
    assert (best.data_id, best.entity, best.note) == (MOVED, VALVE, "from elsewhere")


async def test_existing_data_id_is_unchanged(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(1), VALVE, Note("first"), MOVED)
    assert await visual.add_image(parts, random_picture(1), VALVE, Note("second"), MOVED) == MOVED
    page = await visual.list_images(parts, PageRequest())
    assert [(image.data_id, image.note) for image in page.items] == [(MOVED, "first")]
    assert len(await visual.search(parts, random_picture(1))) == 1


async def test_same_picture_may_have_several_data_ids(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(1), VALVE, Note(), MOVED)
    await visual.add_image(parts, random_picture(1), VALVE, Note(), ALSO_MOVED)
    assert await visual.inventory(parts) == {MOVED, ALSO_MOVED}


async def test_deleted_data_id_can_be_added_again(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(1), VALVE, Note(), MOVED)
    assert await visual.delete_images(parts, VALVE, MOVED) == 1
    assert await visual.inventory(parts) == frozenset()
    await visual.add_image(parts, random_picture(1), VALVE, Note("again"), MOVED)
    assert await visual.inventory(parts) == {MOVED}
    assert (await visual.search(parts, random_picture(1)))[0].note == "again"


async def test_data_ids_are_separate_in_each_database(visual: VisualSearch, parts: DatabaseKey) -> None:
    others = [DatabaseKey(parts.workspace, DatabaseName("logos")), DatabaseKey(WorkspaceId("T2"), parts.name)]
    for key in others:
        await visual.create_database(key)
    await visual.add_image(parts, random_picture(1), VALVE, Note(), MOVED)
    await visual.add_image(others[0], random_picture(2), PUMP, Note(), MOVED)
    await visual.delete_images(parts, VALVE)
    assert [await visual.inventory(key) for key in (parts, *others)] == [frozenset(), {MOVED}, frozenset()]
    await visual.delete_database(others[0])
    with pytest.raises(UnknownDatabase):
        await visual.inventory(others[0])
