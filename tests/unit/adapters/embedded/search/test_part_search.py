"""The second stage of a search: parts of the query, where the whole proves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
from PIL import Image, ImageOps

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.search.part_search import BATCH
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.matches import PictureRegion, Verdict
from bot.domain.pictures import Picture
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, flat_picture, picture_of, random_picture
from tests.fixtures.scenes import picture, scene

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
LEFT, RIGHT = PictureRegion(0, 0, 0.5, 1), PictureRegion(0.5, 0, 0.5, 1)


def side_by_side(*pictures: Picture) -> Picture:
    return picture_of(np.ascontiguousarray(np.concatenate([one.pixels for one in pictures], axis=1)))


async def filled(storage: SqlStorage, extractor: FakeFeatureExtractor, images: int = 12) -> EmbeddedSearch:
    visual = EmbeddedSearch(storage.vectors, extractor, FakeVerifier(), index_memory_bytes=2**20)
    await visual.create_database(PARTS)
    for seed in range(images):
        await visual.add_image(PARTS, random_picture(seed), EntityId(f"part_{seed}"), Note())
    extractor.looked_at = 0
    return visual


async def test_copy_in_a_part_is_found_with_its_region(storage: SqlStorage) -> None:
    visual = await filled(storage, FakeFeatureExtractor(proposals=(LEFT, RIGHT)))
    collage = side_by_side(random_picture(90), random_picture(5))
    best, *others = await visual.search(PARTS, collage)
    assert (best.entity, best.verdict, best.part) == ("part_5", Verdict.SAME, RIGHT)
    assert not any(match.verdict.is_copy or match.part for match in others)
    assert len({match.data_id for match in (best, *others)}) == 1 + len(others)


async def test_all_parts_of_a_batch_are_answered_within_the_limit(storage: SqlStorage) -> None:
    visual = await filled(storage, FakeFeatureExtractor(proposals=(LEFT, RIGHT)))
    collage = side_by_side(random_picture(3), random_picture(5))
    found = await visual.search(PARTS, collage, 3)
    assert [(match.entity, match.part) for match in found[:2]] == [("part_3", LEFT), ("part_5", RIGHT)]
    assert len(found) == 3


async def test_excluded_images_are_not_found_in_parts(storage: SqlStorage) -> None:
    visual = await filled(storage, FakeFeatureExtractor(proposals=(LEFT, RIGHT)))
    collage = side_by_side(random_picture(90), random_picture(5))
    hidden = next(match.data_id for match in await visual.search(PARTS, collage) if match.entity == "part_5")
    found = await visual.search(PARTS, collage, exclude=[hidden])
    assert "part_5" not in {match.entity for match in found}
    assert not any(match.part for match in found)


async def test_parts_are_not_searched_where_the_whole_is_a_copy(storage: SqlStorage) -> None:
    extractor = FakeFeatureExtractor(proposals=(LEFT, RIGHT))
    visual = await filled(storage, extractor)
    [best] = await visual.search(PARTS, random_picture(5), 1)
    assert (best.entity, best.part, extractor.looked_at) == ("part_5", None, 1)


async def test_likeness_of_a_part_alone_changes_nothing(storage: SqlStorage) -> None:
    collage = side_by_side(random_picture(90), random_picture(91))
    visual = await filled(storage, FakeFeatureExtractor(proposals=(LEFT, RIGHT)))
    with_parts = await visual.search(PARTS, collage)
    visual._extractor = FakeFeatureExtractor()
    assert with_parts == await visual.search(PARTS, collage)


async def test_further_batches_are_left_out_after_a_proof(storage: SqlStorage) -> None:
    proposals = (RIGHT, *(PictureRegion(0, 0, 0.5, 1) for _ in range(BATCH + 2)))
    extractor = FakeFeatureExtractor(proposals=proposals)
    visual = await filled(storage, extractor)
    assert (await visual.search(PARTS, side_by_side(flat_picture(), random_picture(5))))[0].entity == "part_5"
    assert extractor.looked_at == 1 + BATCH


@pytest.fixture
async def engine(storage: SqlStorage) -> AsyncIterator[EmbeddedSearch]:
    """The engine with the real model and verifier, and six scenes."""
    extractor = PictureFeatureExtractor(BuiltInModel(), 2)
    visual = EmbeddedSearch(storage.vectors, extractor, GeometricVerifier(), index_memory_bytes=2**24)
    await visual.create_database(PARTS)
    for seed in range(6):
        await visual.add_image(PARTS, picture(scene(seed)), EntityId(f"scene_{seed}"), Note())
    yield visual
    await extractor.close()


async def test_engine_finds_the_panel_of_a_collage(engine: EmbeddedSearch) -> None:
    collage = Image.new("RGB", (900, 900))
    for number, seed in enumerate((40, 41, 42, 3, 43, 44, 45, 46, 47)):
        # Panels are too small for points of the whole collage to match the stored picture.
        collage.paste(ImageOps.fit(scene(seed), (300, 300)), (number % 3 * 300, number // 3 * 300))
    found = await engine.search(PARTS, picture(collage))
    assert (found[0].entity, found[0].verdict) == ("scene_3", Verdict.EDITED)
    assert rounded(found[0].part) == (0, 0.3, 0.3, 0.3)
    assert not [match for match in found[1:] if match.score >= 9]


@pytest.mark.parametrize("mirrored", [False, True])
async def test_engine_names_the_part_that_points_prove(engine: EmbeddedSearch, mirrored: bool) -> None:
    screen = Image.new("RGB", (700, 1200), "white")
    screen.paste(scene(2), (0, 120))
    [best] = await engine.search(PARTS, picture(ImageOps.mirror(screen) if mirrored else screen), 1)
    assert (best.entity, best.verdict.is_copy) == ("scene_2", True)
    assert rounded(best.part) == (0.3 if mirrored else 0, 0.1, 0.7, 0.3)


async def test_whole_and_cropped_copies_have_no_part(engine: EmbeddedSearch) -> None:
    for image in (scene(2), scene(2).crop((60, 40, 400, 300))):
        [best] = await engine.search(PARTS, picture(image), 1)
        assert (best.entity, best.part) == ("scene_2", None)


def rounded(part: PictureRegion | None) -> tuple[float, ...]:
    """Return left, top, width and height to one digit."""
    assert part is not None
    return tuple(abs(round(value, 1)) for value in (part.left, part.top, part.width, part.height))
