"""Feature extraction from a picture, for adds and for searches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest
from PIL import Image

from bench.samples.edits import EDITS
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.ports import Candidate
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.errors import BackendDown
from bot.images.features.fingerprint import pdq
from bot.images.features.local_features import unpack
from bot.images.features.query_views import QueryRegion
from tests.fixtures.scenes import picture, scene


@pytest.fixture(scope="module")
def model() -> BuiltInModel:
    return BuiltInModel()


@pytest.fixture
async def extractor(model: BuiltInModel) -> AsyncIterator[PictureFeatureExtractor]:
    one = PictureFeatureExtractor(model, 2)
    yield one
    await one.close()
    names = {thread.name.partition("-")[0].partition("_")[0] for thread in threading.enumerate()}
    assert not names & {"embedding", "features"}


async def test_features_equal_those_of_the_single_functions(
    extractor: PictureFeatureExtractor, model: BuiltInModel
) -> None:
    one = picture(scene(1))
    features = await extractor.extract(one)
    np.testing.assert_allclose(features.embedding, model.run([model.prepare(one.pixels)])[0], atol=1e-3)
    assert features.embedding.dtype == np.float32
    assert features.fingerprint == pdq(one.pixels)[0]
    assert len(features.local_features) <= 22 * 1024
    assert len(unpack(features.local_features).points) > 100
    assert (extractor.model_id, extractor.dimensions) == (model.model_id, 1280)


async def test_query_has_eight_orientations(extractor: PictureFeatureExtractor) -> None:
    one = picture(scene(1))
    query_features, features = await asyncio.gather(extractor.extract_query(one), extractor.extract(one))
    assert query_features.embeddings.shape == (1, 1280)
    assert query_features.fingerprints.shape == (9, 32)
    assert query_features.fingerprints[0].tobytes() == features.fingerprint
    np.testing.assert_allclose(query_features.embeddings[0], features.embedding, atol=1e-3)


async def test_screenshot_query_has_frame_and_content(extractor: PictureFeatureExtractor) -> None:
    shot = EDITS["screenshot of a phone"](scene(1), np.random.default_rng(1))
    query_features, inner = await asyncio.gather(
        extractor.extract_query(picture(shot)), extractor.extract(picture(scene(1)))
    )
    assert query_features.embeddings.shape == (2, 1280)
    assert query_features.fingerprints.shape == (17, 32)
    whole, content = (look for look in query_features.regions if isinstance(look, QueryRegion))
    assert (whole.rows, content.rows) == (range(8), range(8, 16))
    assert whole.share == 1
    assert content.share == pytest.approx(0.42, abs=0.15)
    assert float(query_features.embeddings[1] @ inner.embedding) > float(query_features.embeddings[0] @ inner.embedding)


async def test_flat_query_has_no_fingerprints(extractor: PictureFeatureExtractor) -> None:
    flat = picture(Image.new("RGB", (300, 200), (40, 90, 160)))
    query_features, features = await asyncio.gather(extractor.extract_query(flat), extractor.extract(flat))
    assert query_features.fingerprints.shape == (0, 32)
    assert features.fingerprint == b""
    assert len(query_features.regions) == 1
    assert float(np.linalg.norm(query_features.embeddings[0])) == pytest.approx(1, abs=1e-3)


async def test_plain_frame_has_fingerprints_of_its_content_only(extractor: PictureFeatureExtractor) -> None:
    """Each region has its own rows, even if the whole picture has too little detail."""
    page = Image.new("RGB", (1000, 1000), "white")
    page.paste(scene(1).convert("L").point([240 + value // 26 for value in range(256)]).convert("RGB"), (260, 300))
    page.paste((200, 200, 200), (260, 300, 740, 480))
    query_features = await extractor.extract_query(picture(page))
    looks = [look for look in query_features.regions if isinstance(look, QueryRegion)]
    assert sum(len(look.rows) for look in looks) == len(query_features.fingerprints)


SIZES = [(1, 1), (3, 8), (8, 3), (1, 600), (600, 1), (2, 2), (1, 1023), (1023, 3), (31, 31), (12, 12)]


@pytest.mark.parametrize("kind", ["black", "white", "noise", "slope"])
async def test_odd_pictures_are_extracted_and_verified(extractor: PictureFeatureExtractor, kind: str) -> None:
    """Compare every size with every other and with an ordinary picture. Scores must be from 0 to 10."""
    images = [_odd(kind, size) for size in SIZES] + [np.asarray(scene(1))]
    kept = [await extractor.extract(picture(pixels)) for pixels in images]
    verifier = GeometricVerifier()
    for pixels in images:
        query_features = await extractor.extract_query(picture(pixels))
        assert np.isfinite(query_features.embeddings).all()
        candidates = [
            Candidate(
                row,
                float((query_features.embeddings @ one.embedding).max()),
                *_nearest(query_features.fingerprints),
                one.local_features,
            )
            for row, one in enumerate(kept)
        ]
        scores = [scored.score for scored in verifier.verify(query_features, candidates, None)]
        assert all(0 <= score <= 10 for score in scores)


def _odd(kind: str, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if kind == "noise":
        return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    if kind == "slope":
        values = np.linspace(0, 255, size[0] * size[1]).reshape(*size, 1)
        return values.repeat(3, axis=2).astype(np.uint8)
    return np.full((*size, 3), 255 if kind == "white" else 0, np.uint8)


def _nearest(fingerprints: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> tuple[int | None, int | None]:
    """Return a fingerprint hit at the edge of the radius. The verifier must not trust it alone."""
    return (30, len(fingerprints) - 1) if len(fingerprints) else (None, None)


async def test_concurrent_calls_each_get_their_own_features(extractor: PictureFeatureExtractor) -> None:
    pictures = [picture(scene(seed, (120, 90))) for seed in range(6)]
    alone = [await extractor.extract(one) for one in pictures]
    together = await asyncio.gather(*(extractor.extract(one) for one in pictures))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-3)
        assert (one.fingerprint, one.local_features) == (other.fingerprint, other.local_features)


async def test_event_loop_is_not_blocked(extractor: PictureFeatureExtractor) -> None:
    working = asyncio.create_task(extractor.extract_query(picture(scene(5, (1000, 800)))))
    turns = 0
    while not working.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 3
    await working


async def test_cancelled_caller_does_not_affect_others(extractor: PictureFeatureExtractor) -> None:
    leaving = asyncio.create_task(extractor.extract(picture(scene(1))))
    staying = asyncio.create_task(extractor.extract(picture(scene(2))))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).fingerprint
    assert leaving.cancelled()


async def test_close_finishes_running_calls_and_refuses_new_ones(model: BuiltInModel) -> None:
    one = PictureFeatureExtractor(model, 1)
    begun = [asyncio.create_task(one.extract(picture(scene(seed)))) for seed in range(4)]
    await asyncio.sleep(0)
    await one.close()
    assert all(features.local_features for features in await asyncio.gather(*begun))
    with pytest.raises(BackendDown):
        await one.extract(picture(scene(1)))
    with pytest.raises(BackendDown):
        await one.extract_query(picture(scene(1)))
    await one.close()
