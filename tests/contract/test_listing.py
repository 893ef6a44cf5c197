"""Listings (pages, orders, prefixes and notes) and deletions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.port import VisualSearch
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Order, PageRequest
from tests.fakes.features import random_picture

VALVE, PUMP = EntityId("valve"), EntityId("pump")

NOTES = {
    "empty": "",
    "emoji": "👩🏽‍🔧🔧" * 102 + "ok",
    "right to left": "صمام الأمان של מים " * 26,
    "combining": "e\u0301\u0328" * 170,
    "marks": "100 % _ ' \" \\ ; -- <b>&amp;</b>\t\n\r\u2028",
    "wide": "\U0010ffff" * 512,
    "longest": "x" * 512,
}


async def fill(visual: VisualSearch, key: DatabaseKey, count: int) -> list[DataId]:
    return [
        await visual.add_image(key, random_picture(seed), EntityId(f"part_{seed}"), Note()) for seed in range(count)
    ]


async def by_token(visual: VisualSearch, key: DatabaseKey, order: Order, size: int) -> list[ListedImage]:
    page = await visual.list_images(key, PageRequest(limit=size, order=order))
    items = list(page.items)
    while page.token:
        page = await visual.list_images(key, PageRequest(limit=size, order=order, token=page.token))
        items += page.items
    return items


async def test_empty_database_lists_nothing(visual: VisualSearch, parts: DatabaseKey) -> None:
    page = await visual.list_images(parts, PageRequest())
    assert (page.items, page.total, page.token) == ((), 0, None)


@pytest.mark.parametrize("name", NOTES)
async def test_note_round_trips(visual: VisualSearch, parts: DatabaseKey, name: str) -> None:
    note = Note(NOTES[name])
    await visual.add_image(parts, random_picture(1), VALVE, note)
    assert (await visual.list_images(parts, PageRequest())).items[0].note == note
    assert (await visual.search(parts, random_picture(1)))[0].note == note


async def test_rows_have_times_in_utc(visual: VisualSearch, parts: DatabaseKey) -> None:
    before = datetime.now(UTC)
    data_id = await visual.add_image(parts, random_picture(1), VALVE, Note("n"))
    row = (await visual.list_images(parts, PageRequest())).items[0]
    assert (row.data_id, row.entity, row.note) == (data_id, "valve", "n")
    assert before <= row.created_at <= datetime.now(UTC)
    assert row.created_at.utcoffset() == timedelta(0)
    assert row.updated_at == row.created_at


@pytest.mark.parametrize("order", [Order.NEWEST_FIRST, Order.OLDEST_FIRST])
async def test_pages_have_every_image_once(visual: VisualSearch, parts: DatabaseKey, order: Order) -> None:
    ids = await fill(visual, parts, 23)
    expected = ids if order is Order.OLDEST_FIRST else ids[::-1]
    for size in (1, 3, 7, 22, 23, 24, 1000):
        assert [row.data_id for row in await by_token(visual, parts, order, size)] == expected
        pages = [
            await visual.list_images(parts, PageRequest(offset=offset, limit=size, order=order))
            for offset in range(0, 23, size)
        ]
        assert [row.data_id for page in pages for row in page.items] == expected
        assert {page.total for page in pages} == {23}


async def test_offset_beyond_the_end_gives_an_empty_page(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 3)
    page = await visual.list_images(parts, PageRequest(offset=10_000_000))
    assert (page.items, page.total, page.token) == ((), 3, None)


async def test_paging_continues_while_images_are_added_and_deleted(visual: VisualSearch, parts: DatabaseKey) -> None:
    ids = await fill(visual, parts, 9)
    first = await visual.list_images(parts, PageRequest(limit=4))
    await visual.add_image(parts, random_picture(100), VALVE, Note())
    # Also delete the row that the token refers to.
    await visual.delete_images(parts, first.items[-1].entity)
    rest = await visual.list_images(parts, PageRequest(limit=100, token=first.token))
    assert [row.data_id for row in (*first.items, *rest.items)] == ids[::-1]

    oldest = await visual.list_images(parts, PageRequest(limit=4, order=Order.OLDEST_FIRST))
    new = await visual.add_image(parts, random_picture(101), VALVE, Note())
    rest = await visual.list_images(parts, PageRequest(limit=100, order=Order.OLDEST_FIRST, token=oldest.token))
    assert rest.items[-1].data_id == new


async def test_underscore_in_a_prefix_is_literal(visual: VisualSearch, parts: DatabaseKey) -> None:
    for entity in ("a_b", "a_c", "axb", "a", "a_", "ab", "b_b", "a_b_1"):
        await visual.add_image(parts, random_picture(1), EntityId(entity), Note())

    async def listed(prefix: str) -> set[str]:
        page = await visual.list_images(parts, PageRequest(entity_prefix=prefix))
        assert page.total == len(page.items)
        return {row.entity for row in page.items}

    assert await listed("a_") == {"a_b", "a_c", "a_", "a_b_1"}
    assert await listed("a_b") == {"a_b", "a_b_1"}
    assert await listed("_") == set()
    assert await listed("z") == set()
    assert len(await listed("")) == 8


async def test_listing_with_a_prefix_pages_by_token(visual: VisualSearch, parts: DatabaseKey) -> None:
    for number in range(10):
        await visual.add_image(
            parts, random_picture(1), EntityId(f"{'even' if number % 2 == 0 else 'odd'}_{number}"), Note()
        )
    first = await visual.list_images(parts, PageRequest(limit=3, entity_prefix="even_"))
    rest = await visual.list_images(parts, PageRequest(limit=3, entity_prefix="even_", token=first.token))
    assert (first.total, rest.total, rest.token) == (5, 5, None)
    assert [row.entity for row in (*first.items, *rest.items)] == ["even_8", "even_6", "even_4", "even_2", "even_0"]


@pytest.mark.parametrize(
    "token", ["", "x", "!!!", "bnVsbA==", "W10=", "WzEsMiwzXQ==", "é", "A" * 10_000, "eyJhIjoxfQ=="]
)
async def test_invalid_token_is_refused(visual: VisualSearch, parts: DatabaseKey, token: str) -> None:
    with pytest.raises(InvalidInput, match="token"):
        await visual.list_images(parts, PageRequest(token=token))


async def test_token_of_another_listing_is_refused(visual: VisualSearch, parts: DatabaseKey) -> None:
    other = DatabaseKey(WorkspaceId("T2"), DatabaseName("parts"))
    await visual.create_database(other)
    await fill(visual, parts, 5)
    token = (await visual.list_images(parts, PageRequest(limit=2))).token
    for key, request in (
        (other, PageRequest(token=token)),
        (parts, PageRequest(token=token, order=Order.OLDEST_FIRST)),
        (parts, PageRequest(token=token, entity_prefix="part_")),
    ):
        with pytest.raises(InvalidInput, match="token"):
            await visual.list_images(key, request)


async def test_deleting_an_entity_deletes_only_its_images(visual: VisualSearch, parts: DatabaseKey) -> None:
    for seed in range(6):
        await visual.add_image(parts, random_picture(seed), VALVE if seed % 2 else PUMP, Note())
    assert await visual.delete_images(parts, VALVE) == 3
    assert {row.entity for row in (await visual.list_images(parts, PageRequest())).items} == {"pump"}
    assert await visual.delete_images(parts, VALVE) == 0


async def test_single_image_of_an_entity_can_be_deleted(visual: VisualSearch, parts: DatabaseKey) -> None:
    first = await visual.add_image(parts, random_picture(1), VALVE, Note())
    second = await visual.add_image(parts, random_picture(2), VALVE, Note())
    assert await visual.delete_images(parts, PUMP, first) == 0
    assert await visual.delete_images(parts, VALVE, first) == 1
    assert await visual.delete_images(parts, VALVE, first) == 0
    assert [match.data_id for match in await visual.search(parts, random_picture(1))] == [second]


@pytest.mark.parametrize("data_id", [None, DataId("nothing"), DataId("' OR 1=1 --")])
async def test_deleting_missing_images_deletes_nothing(
    visual: VisualSearch, parts: DatabaseKey, data_id: DataId | None
) -> None:
    await visual.add_image(parts, random_picture(1), VALVE, Note())
    assert await visual.delete_images(parts, PUMP, data_id) == 0
    assert (await visual.list_images(parts, PageRequest())).total == 1
