"""Several images that are added together become what they would be one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.adapters.port import BatchAdding, ImageToAdd, VisualSearch
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note
from bot.domain.pages import Order, PageRequest
from tests.fakes.features import random_picture

MOVED = DataId("018f3a2b4c5d" + "0a" * 10)


async def add_all(visual: VisualSearch, key: DatabaseKey, images: Sequence[ImageToAdd]) -> Sequence[DataId]:
    """Add images together, if the back end can, or else one by one."""
    if isinstance(visual, BatchAdding):
        return await visual.add_images(key, images)
    return [await visual.add_image(key, one.picture, one.entity, one.note, one.data_id) for one in images]


def image(seed: int, data_id: DataId | None = None) -> ImageToAdd:
    return ImageToAdd(random_picture(seed), EntityId(f"part_{seed}"), Note(f"number {seed}"), data_id)


async def test_batch_is_listed_and_found(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(9), EntityId("earlier"), Note())
    added = await add_all(visual, parts, [image(seed) for seed in (3, 1, 2)])
    assert len(set(added)) == 3
    listed = (await visual.list_images(parts, PageRequest(order=Order.OLDEST_FIRST))).items
    assert [(one.entity, one.note) for one in listed] == [
        ("earlier", ""),
        ("part_3", "number 3"),
        ("part_1", "number 1"),
        ("part_2", "number 2"),
    ]
    assert [one.data_id for one in listed[1:]] == list(added)
    for seed, data_id in zip((3, 1, 2), added, strict=True):
        assert (await visual.search(parts, random_picture(seed)))[0].data_id == data_id


async def test_known_data_ids_of_a_batch_change_nothing(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(1), EntityId("first"), Note(), MOVED)
    again = DataId("018f3a2b4c5e" + "0a" * 10)
    added = await add_all(visual, parts, [image(2, MOVED), image(3, again), image(4, again), image(5)])
    assert list(added[:3]) == [MOVED, again, again]
    entities = {one.data_id: one.entity for one in (await visual.list_images(parts, PageRequest())).items}
    assert entities == {MOVED: "first", again: "part_3", added[3]: "part_5"}


async def test_batch_for_a_missing_database_raises_unknown_database(visual: VisualSearch, parts: DatabaseKey) -> None:
    gone = DatabaseKey(parts.workspace, DatabaseName("gone"))
    with pytest.raises(UnknownDatabase):
        await add_all(visual, gone, [image(1), image(2)])
    assert await visual.inventory(parts) == frozenset()
