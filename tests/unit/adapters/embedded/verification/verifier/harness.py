"""The real extractor and verifier, without an index."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.adapters.embedded.ports import FINGERPRINT_RADIUS, Candidate, ImageFeatures, QueryFeatures, ScoredMatch
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.domain.matches import Edit
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import picture

SEEDS = range(2)

CROPPED, MIRRORED, ROTATED, FRAMED, RECOLOURED, INVERTED, OVERLAID, PHOTOGRAPHED = Edit


class Harness:
    """Stores features and verifies queries against them like the engine, but without an index."""

    def __init__(self) -> None:
        self._model = BuiltInModel()
        self._kept: dict[bytes, ImageFeatures] = {}

    def features(self, *images: Image.Image) -> list[ImageFeatures]:
        async def work() -> list[ImageFeatures]:
            extractor = PictureFeatureExtractor(self._model, 1)
            try:
                return [await extractor.extract(picture(image)) for image in new]
            finally:
                await extractor.close()

        new = [image for image in images if image.tobytes() not in self._kept]
        for image, features in zip(new, asyncio.run(work()) if new else [], strict=True):
            self._kept[image.tobytes()] = features
        return [self._kept[image.tobytes()] for image in images]

    def query_features_of(self, image: Image.Image) -> QueryFeatures:
        async def work() -> QueryFeatures:
            extractor = PictureFeatureExtractor(self._model, 1)
            try:
                return await extractor.extract_query(picture(image))
            finally:
                await extractor.close()

        return asyncio.run(work())

    def search(self, query: Image.Image, *reference: Image.Image) -> list[ScoredMatch]:
        query_features = self.query_features_of(query)
        candidates = [
            candidate(row, query_features, features) for row, features in enumerate(self.features(*reference))
        ]
        # The most alike first, as in the engine.
        order = sorted(range(len(candidates)), key=lambda row: -candidates[row].cosine)
        scored = GeometricVerifier().verify(query_features, [candidates[row] for row in order], None)
        return [scored for _, scored in sorted(zip(order, scored, strict=True), key=lambda pair: pair[0])]


def candidate(row: int, query_features: QueryFeatures, features: ImageFeatures) -> Candidate:
    cosine = float((query_features.embeddings @ features.embedding).max())
    found = Candidate(row, cosine, local_features=features.local_features)
    if not (features.fingerprint and len(query_features.fingerprints)):
        return found
    distances = np.bitwise_count(query_features.fingerprints ^ np.frombuffer(features.fingerprint, np.uint8)).sum(
        axis=1
    )
    nearest = int(distances.argmin())
    if distances[nearest] > FINGERPRINT_RADIUS:
        return found
    return replace(found, fingerprint_distance=int(distances[nearest]), fingerprint_row=nearest)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality))).convert("RGB")


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
