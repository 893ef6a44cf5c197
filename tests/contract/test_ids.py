"""Ids: any printable text is kept as written, and compared without regard to case and normal form."""

from __future__ import annotations

import unicodedata

from bot.adapters.port import VisualSearch
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.pages import PageRequest
from tests.fakes.features import random_picture
from tests.fixtures.entities import HOSTILE_IDS

IDS = tuple(EntityId(text) for text in HOSTILE_IDS[::3])
"""Fewer, because some back ends take a while. tests/unit/storage/sql has all."""


async def prefixed(visual: VisualSearch, key: DatabaseKey, prefix: str) -> list[EntityId]:
    page = await visual.list_images(key, PageRequest(limit=100, entity_prefix=prefix))
    return [image.entity for image in page.items]


async def test_any_id_round_trips_and_is_found_however_it_is_written(visual: VisualSearch, parts: DatabaseKey) -> None:
    picture = random_picture(1)
    for entity in IDS:
        await visual.add_image(parts, picture, entity, Note())
    assert sorted(await prefixed(visual, parts, "")) == sorted(IDS)
    assert {match.entity for match in await visual.search(parts, picture, 100)} == set(IDS)
    for entity in IDS:
        shouted = unicodedata.normalize("NFD", entity.upper())
        if len(shouted) <= 64:
            assert entity in await prefixed(visual, parts, shouted)
        assert await visual.delete_images(parts, EntityId(shouted)) == 1
    assert await prefixed(visual, parts, "") == []


async def test_prefix_ends_where_ids_differ(visual: VisualSearch, parts: DatabaseKey) -> None:
    for text in ("VLV-1", "vlv-2/a", "vlw", "vl", "a\ud7ffb", "a\ue000b", "阀门-7"):
        await visual.add_image(parts, random_picture(1), EntityId(text), Note())
    assert sorted(await prefixed(visual, parts, "Vlv")) == ["VLV-1", "vlv-2/a"]
    assert await prefixed(visual, parts, "阀") == ["阀门-7"]
    assert await prefixed(visual, parts, "a\ud7ff") == ["a\ud7ffb"]


async def test_images_get_another_id(visual: VisualSearch, parts: DatabaseKey) -> None:
    first, second, third = [
        await visual.add_image(parts, random_picture(seed), EntityId("IMG_1"), Note()) for seed in (1, 2, 3)
    ]
    renamed = EntityId("Valve 42")
    assert await visual.rename_images(parts, [first, second, DataId("gone")], renamed) == 2
    assert await prefixed(visual, parts, "valve") == [renamed, renamed]
    assert (await visual.search(parts, random_picture(1)))[0].entity == renamed
    assert await visual.delete_images(parts, renamed, first) == 1
    assert await visual.delete_images(parts, EntityId("img_1")) == 1
    assert await visual.inventory(parts) == {second}
    assert third not in await visual.inventory(parts)
