"""Searches: the matches, their order and their scores."""

from __future__ import annotations

import asyncio

import pytest

from bot.adapters.port import VisualSearch
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.matches import SIMILAR_SCORE, Verdict
from tests.fakes.features import flat_picture, noisy_copy, random_picture

VALVE, PUMP = EntityId("valve"), EntityId("pump")


async def fill(visual: VisualSearch, key: DatabaseKey, count: int) -> None:
    for seed in range(count):
        await visual.add_image(key, random_picture(seed), EntityId(f"part_{seed}"), Note(f"number {seed}"))


async def test_empty_database_gives_no_matches(visual: VisualSearch, parts: DatabaseKey) -> None:
    assert await visual.search(parts, random_picture(1), 1000) == ()


async def test_added_image_is_found_at_once(visual: VisualSearch, parts: DatabaseKey) -> None:
    for seed in range(5):
        data_id = await visual.add_image(parts, random_picture(seed), EntityId(f"part_{seed}"), Note(f"number {seed}"))
        best = (await visual.search(parts, random_picture(seed)))[0]
        assert (best.data_id, best.entity, best.note) == (data_id, f"part_{seed}", f"number {seed}")
        assert best.score >= 9
        assert best.verdict is Verdict.SAME
        # A comparison can lay the one picture over the other.
        assert best.is_comparable


async def test_scores_fall_and_are_from_0_to_10(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 40)
    matches = await visual.search(parts, noisy_copy(random_picture(7)), 40)
    scores = [match.score for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 10 for score in scores)
    assert matches[0].entity == "part_7"


async def test_unrelated_picture_is_not_the_same_image(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 5)
    matches = await visual.search(parts, random_picture(99))
    assert not any(match.verdict.is_copy for match in matches)
    assert not any(match.verdict is Verdict.SIMILAR for match in matches if match.score < SIMILAR_SCORE)


async def test_limit_is_respected(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 40)
    for limit in (1, 2, 39, 40, 41, 1000):
        matches = await visual.search(parts, random_picture(3), limit)
        assert len(matches) == min(limit, 40), limit
        assert len({match.data_id for match in matches}) == len(matches), limit
        assert matches[0].entity == "part_3", limit


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_limit_out_of_range_is_refused(visual: VisualSearch, parts: DatabaseKey, limit: int) -> None:
    with pytest.raises(InvalidInput):
        await visual.search(parts, random_picture(1), limit)


async def test_default_limit_is_ten(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 12)
    assert len(await visual.search(parts, random_picture(1))) == 10


async def test_same_picture_twice_is_two_images(visual: VisualSearch, parts: DatabaseKey) -> None:
    first = await visual.add_image(parts, random_picture(1), VALVE, Note("first"))
    second = await visual.add_image(parts, random_picture(1), PUMP, Note("second"))
    assert first != second
    matches = await visual.search(parts, random_picture(1))
    assert {(match.data_id, match.entity, match.note) for match in matches} == {
        (first, "valve", "first"),
        (second, "pump", "second"),
    }
    assert all(match.verdict is Verdict.SAME for match in matches)


async def test_picture_without_detail_matches_only_itself(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, flat_picture(100), VALVE, Note())
    await visual.add_image(parts, random_picture(1), PUMP, Note())
    assert {match.entity for match in await visual.search(parts, flat_picture(100))} == {"valve", "pump"}
    assert (await visual.search(parts, random_picture(1)))[0].entity == "pump"
    copies = [match for match in await visual.search(parts, random_picture(2)) if match.verdict.is_copy]
    assert copies == []


async def test_entity_may_have_many_images(visual: VisualSearch, parts: DatabaseKey) -> None:
    ids = [await visual.add_image(parts, random_picture(seed), VALVE, Note(str(seed))) for seed in range(30)]
    matches = await visual.search(parts, random_picture(12), 100)
    assert {match.data_id for match in matches} == set(ids)
    assert {match.entity for match in matches} == {"valve"}
    assert matches[0].data_id == ids[12]


async def test_concurrent_adds_are_all_kept_and_found(visual: VisualSearch, parts: DatabaseKey) -> None:
    async def add(seed: int) -> str:
        return await visual.add_image(parts, random_picture(seed), EntityId(f"part_{seed}"), Note())

    async def look(seed: int) -> None:
        await visual.search(parts, random_picture(seed))

    *ids, _, _ = await asyncio.gather(*(add(seed) for seed in range(50)), look(1), look(2))
    assert len(set(ids)) == 50
    for seed in (0, 17, 49):
        assert (await visual.search(parts, random_picture(seed), 1))[0].data_id == ids[seed]
    assert {match.data_id for match in await visual.search(parts, random_picture(0), 1000)} == set(ids)


async def test_deleted_image_is_not_found(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 10)
    assert (await visual.search(parts, random_picture(4)))[0].entity == "part_4"
    assert await visual.delete_images(parts, EntityId("part_4")) == 1
    matches = await visual.search(parts, random_picture(4), 100)
    assert "part_4" not in {match.entity for match in matches}
    assert len(matches) == 9


async def test_excluded_images_make_room_for_others(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 30)
    everything = await visual.search(parts, random_picture(3), 30)
    hidden = frozenset(match.data_id for match in everything[:12])
    found = await visual.search(parts, random_picture(3), 10, hidden)
    assert [match.data_id for match in found] == [match.data_id for match in everything[12:22]]
    rest = await visual.search(parts, random_picture(3), 1000, hidden)
    assert {match.data_id for match in rest} == {match.data_id for match in everything[12:]}


async def test_unknown_excluded_images_change_nothing(visual: VisualSearch, parts: DatabaseKey) -> None:
    await fill(visual, parts, 3)
    found = await visual.search(parts, random_picture(1), 10, [DataId("absent")])
    assert found == await visual.search(parts, random_picture(1))


async def test_excluded_copies_do_not_hide_another_copy(visual: VisualSearch, parts: DatabaseKey) -> None:
    picture = random_picture(1)
    hidden = [await visual.add_image(parts, picture, EntityId(f"secret_{number}"), Note()) for number in range(40)]
    public = await visual.add_image(parts, noisy_copy(picture), EntityId("public"), Note())
    [match] = await visual.search(parts, picture, 1, hidden)
    assert match.data_id == public
