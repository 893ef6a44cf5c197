"""EmbeddedSearch beyond the contract: candidates, calibration and models."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from bot.adapters.embedded.calibration.curves import default_curve
from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import FINGERPRINT_RADIUS
from bot.adapters.embedded.search.candidates import CANDIDATES, MAX_VERIFIED_CANDIDATES, VERIFIED_CANDIDATES
from bot.adapters.port import ImageToAdd
from bot.domain.errors import ModelMismatch, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import DIMENSIONS, FakeFeatureExtractor, FakeVerifier, noisy_copy, picture_of, random_picture

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
CURVE = ((0.3, 0.0), (0.7, 6.0), (1.0, 8.9))
MEMORY = 64 * 2**20


@pytest.fixture
def verifier() -> FakeVerifier:
    return FakeVerifier()


@pytest.fixture
async def visual(storage: SqlStorage, verifier: FakeVerifier) -> EmbeddedSearch:
    made = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), verifier, index_memory_bytes=MEMORY)
    await made.create_database(PARTS)
    return made


async def fill(visual: EmbeddedSearch, storage: SqlStorage, count: int) -> None:
    async with storage.unit():
        for seed in range(count):
            await visual.add_image(PARTS, random_picture(seed), EntityId(f"part_{seed}"), Note())


async def test_verifier_gets_more_candidates_than_requested(
    visual: EmbeddedSearch, storage: SqlStorage, verifier: FakeVerifier
) -> None:
    await fill(visual, storage, 60)
    assert len(await visual.search(PARTS, noisy_copy(random_picture(5)), 3)) == 3
    assert len(verifier.seen) == CANDIDATES
    assert verifier.seen[0].cosine == max(candidate.cosine for candidate in verifier.seen)
    sketched = [candidate for candidate in verifier.seen if candidate.local_features]
    assert VERIFIED_CANDIDATES <= len(sketched) <= MAX_VERIFIED_CANDIDATES
    assert verifier.seen[0].local_features == random_picture(5).digest.encode()


async def test_mirrored_copy_is_a_candidate_by_its_fingerprint(
    visual: EmbeddedSearch, storage: SqlStorage, verifier: FakeVerifier
) -> None:
    await fill(visual, storage, 60)
    mirrored = picture_of(np.ascontiguousarray(random_picture(7).pixels[:, ::-1]))
    best = (await visual.search(PARTS, mirrored))[0]
    assert best.entity == "part_7"
    seen = next(candidate for candidate in verifier.seen if candidate.fingerprint_distance is not None)
    assert seen.fingerprint_row == 1
    assert seen.fingerprint_distance is not None
    assert seen.fingerprint_distance <= FINGERPRINT_RADIUS
    assert seen.local_features


async def test_ties_are_sorted_by_insertion(visual: EmbeddedSearch) -> None:
    ids = [await visual.add_image(PARTS, random_picture(1), EntityId("same"), Note(str(number))) for number in range(5)]
    assert [match.data_id for match in await visual.search(PARTS, random_picture(1))] == ids


async def test_data_ids_are_ordered_by_time(visual: EmbeddedSearch) -> None:
    ids = []
    for seed in range(5):
        ids.append(await visual.add_image(PARTS, random_picture(seed), EntityId("a"), Note()))
        await asyncio.sleep(0.002)
    assert ids == sorted(ids)
    assert len({len(data_id) for data_id in ids}) == 1


async def test_no_features_are_extracted_for_a_missing_database(storage: SqlStorage) -> None:
    extractor = FakeFeatureExtractor()
    visual = EmbeddedSearch(storage.vectors, extractor, FakeVerifier(), index_memory_bytes=MEMORY)
    with pytest.raises(UnknownDatabase):
        await visual.search(PARTS, random_picture(1))
    with pytest.raises(UnknownDatabase):
        await visual.add_image(PARTS, random_picture(1), EntityId("a"), Note())
    await visual.create_database(PARTS)
    assert await visual.search(PARTS, random_picture(1)) == ()
    assert extractor.looked_at == 0


async def test_calibration_is_stored_and_passed_to_the_verifier(visual: EmbeddedSearch, verifier: FakeVerifier) -> None:
    assert await visual.calibrator.manual_curve(PARTS) is None
    await visual.add_image(PARTS, random_picture(1), EntityId("a"), Note())
    await visual.calibrator.set_manual_curve(PARTS, CURVE)
    assert await visual.calibrator.manual_curve(PARTS) == CURVE
    await visual.search(PARTS, random_picture(1))
    assert verifier.calibration_used == CURVE
    await visual.calibrator.set_manual_curve(PARTS, None)
    await visual.search(PARTS, random_picture(1))
    assert verifier.calibration_used == default_curve(1)


async def test_calibration_of_a_missing_database_raises_unknown_database(visual: EmbeddedSearch) -> None:
    absent = DatabaseKey(PARTS.workspace, DatabaseName("absent"))
    with pytest.raises(UnknownDatabase):
        await visual.calibrator.set_manual_curve(absent, CURVE)
    with pytest.raises(UnknownDatabase):
        await visual.calibrator.manual_curve(absent)


async def test_sample_pairs_entities_with_their_embeddings(visual: EmbeddedSearch, storage: SqlStorage) -> None:
    await fill(visual, storage, 30)
    entities, matrix = await visual.calibrator.sample(PARTS, 10)
    assert matrix.shape == (10, DIMENSIONS)
    assert matrix.dtype == np.float32
    assert len(set(entities)) == 10
    expected = (await FakeFeatureExtractor().extract(random_picture(int(entities[0].removeprefix("part_"))))).embedding
    assert matrix[0] == pytest.approx(expected, abs=0.001)
    assert len((await visual.calibrator.sample(PARTS, 1000))[0]) == 30
    assert (await visual.calibrator.sample(PARTS, 10))[0] == entities


async def test_sample_of_an_empty_database_is_empty(visual: EmbeddedSearch) -> None:
    entities, matrix = await visual.calibrator.sample(PARTS, 10)
    assert entities == ()
    assert matrix.shape == (0, DIMENSIONS)


async def test_vectors_of_two_models_never_mix(visual: EmbeddedSearch, storage: SqlStorage) -> None:
    await visual.add_image(PARTS, random_picture(1), EntityId("a"), Note())
    other = EmbeddedSearch(
        storage.vectors, FakeFeatureExtractor("thumbnails-2"), FakeVerifier(), index_memory_bytes=MEMORY
    )
    with pytest.raises(ModelMismatch, match="vsearch reindex parts"):
        await other.search(PARTS, random_picture(1))
    with pytest.raises(ModelMismatch):
        await other.add_image(PARTS, random_picture(2), EntityId("b"), Note())
    with pytest.raises(ModelMismatch):
        await other.calibrator.sample(PARTS, 10)
    assert len(await visual.search(PARTS, random_picture(1))) == 1


async def test_first_image_sets_the_database_model(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    other = EmbeddedSearch(
        storage.vectors, FakeFeatureExtractor("thumbnails-2"), FakeVerifier(), index_memory_bytes=MEMORY
    )
    await other.add_image(PARTS, random_picture(2), EntityId("b"), Note())
    with pytest.raises(ModelMismatch):
        await visual.add_image(PARTS, random_picture(1), EntityId("a"), Note())
    assert len(await other.search(PARTS, random_picture(2))) == 1


@pytest.mark.parametrize("count", [1, 2, 7])
async def test_batch_counts_as_many_writes_as_images(storage: SqlStorage, visual: EmbeddedSearch, count: int) -> None:
    one_by_one = DatabaseKey(PARTS.workspace, DatabaseName("slow"))
    await visual.create_database(one_by_one)
    images = [ImageToAdd(random_picture(seed), EntityId(f"part_{seed}"), Note()) for seed in range(count)]
    await visual.add_images(PARTS, images)
    for image in images:
        await visual.add_image(one_by_one, image.picture, image.entity, image.note)
    revisions = [
        await storage.vectors.read(lambda rows: rows.state(PARTS).revision),
        await storage.vectors.read(lambda rows: rows.state(one_by_one).revision),
    ]
    assert revisions == [count + 1, count + 1]


async def test_batch_of_another_model_leaves_nothing(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    other = EmbeddedSearch(
        storage.vectors, FakeFeatureExtractor("thumbnails-2"), FakeVerifier(), index_memory_bytes=MEMORY
    )
    # Checks the database while it has no model.
    await other.add_images(PARTS, [])
    kept = await visual.add_image(PARTS, random_picture(1), EntityId("a"), Note())
    images = [ImageToAdd(random_picture(seed), EntityId("b"), Note()) for seed in (2, 3)]
    with pytest.raises(ModelMismatch):
        await other.add_images(PARTS, images)
    assert await visual.inventory(PARTS) == {kept}
