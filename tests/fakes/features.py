"""A cheap, deterministic FeatureExtractor and Verifier: thumbnails and thresholds instead of the model and geometry."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.ports import (
    FINGERPRINT_RADIUS,
    CalibrationCurve,
    Candidate,
    ImageFeatures,
    QueryFeatures,
    ScoredMatch,
)
from bot.domain.matches import PictureRegion, Verdict
from bot.domain.pictures import Picture
from bot.images.features.regions.picture_regions import box_of
from bot.storage.sql_storage import SqlStorage

SIDE = 8
DIMENSIONS = 3 * SIDE * SIDE
SAME_AT_MOST = 8


def random_picture(seed: int, side: int = 24) -> Picture:
    """Return a picture of random blocks. The same seed always gives the same picture."""
    blocks = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return picture_of(blocks.repeat(side // SIDE, axis=0).repeat(side // SIDE, axis=1))


def flat_picture(value: int = 128) -> Picture:
    """Return a plain gray picture, which has too little detail for a fingerprint."""
    return picture_of(np.full((24, 24, 3), value, np.uint8))


def noisy_copy(picture: Picture, seed: int = 0) -> Picture:
    """Return a slightly different copy."""
    noise = np.random.default_rng(seed).integers(-4, 5, picture.pixels.shape)
    return picture_of((picture.pixels.astype(np.int16) + noise).clip(0, 255).astype(np.uint8))


def picture_of(pixels: npt.NDArray[np.uint8]) -> Picture:
    """Return a normalised picture with these pixels."""
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    source = hashlib.sha256(b"file" + pixels.tobytes()).hexdigest()
    return Picture(pixels, digest, source, "PNG", (pixels.shape[1], pixels.shape[0]))


class FakeFeatureExtractor:
    """A ``FeatureExtractor`` that counts its calls."""

    proposals: tuple[PictureRegion, ...] = ()
    """The regions that it proposes for every picture."""

    def __init__(self, model_id: str = "thumbnails-1", proposals: tuple[PictureRegion, ...] = ()) -> None:
        self._model_id = model_id
        self.proposals = proposals or self.proposals
        self.looked_at = 0

    @property
    def model_id(self) -> str:
        return self._model_id

    @property
    def dimensions(self) -> int:
        return DIMENSIONS

    async def extract(self, picture: Picture) -> ImageFeatures:
        self.looked_at += 1
        digest = picture.digest.encode()
        return ImageFeatures(_embedding(picture), _fingerprint(picture), digest, digest)

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        self.looked_at += 1
        views = [picture, picture_of(np.ascontiguousarray(picture.pixels[:, ::-1]))]
        prints = b"".join(_fingerprint(view) for view in views)
        rows = np.frombuffer(prints, np.uint8).reshape(-1, 32)
        return QueryFeatures(_embedding(picture)[None, :], rows, (picture.digest.encode(),))

    async def propose_regions(self, picture: Picture) -> tuple[PictureRegion, ...]:
        return self.proposals

    async def extract_regions(self, picture: Picture, regions: Sequence[PictureRegion]) -> tuple[QueryFeatures, ...]:
        boxes = [box_of(region, picture.width, picture.height) for region in regions]
        parts = [
            picture_of(np.ascontiguousarray(picture.pixels[top:bottom, left:right]))
            for left, top, right, bottom in boxes
        ]
        return tuple([await self.extract_query(part) for part in parts])


class FakeVerifier:
    """A ``Verifier`` that scores ten times the cosine, or more for a fingerprint hit. It records the candidates."""

    def __init__(self) -> None:
        self.seen: list[Candidate] = []
        self.calibration_used: CalibrationCurve | None = None

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        self.seen = list(candidates)
        self.calibration_used = calibration
        return [_scored(candidate) for candidate in candidates]


def _scored(candidate: Candidate) -> ScoredMatch:
    distance = candidate.fingerprint_distance
    if distance is None:
        return ScoredMatch(8.9 * min(max(candidate.cosine, 0.0), 1.0), Verdict.SIMILAR)
    verdict = Verdict.SAME if distance <= SAME_AT_MOST else Verdict.EDITED
    return ScoredMatch(10.0 - distance / FINGERPRINT_RADIUS, verdict)


def _blocks(picture: Picture) -> npt.NDArray[np.float32]:
    high, wide = picture.height // SIDE, picture.width // SIDE
    cut = picture.pixels[: high * SIDE, : wide * SIDE].astype(np.float32)
    blocks: npt.NDArray[np.float32] = cut.reshape(SIDE, high, SIDE, wide, 3).mean(axis=(1, 3))
    return blocks


def _embedding(picture: Picture) -> npt.NDArray[np.float32]:
    values = _blocks(picture).ravel() - 127.5
    # Add a small constant, so that the embedding of a plain gray is not zero.
    values[0] += 0.5
    normalised: npt.NDArray[np.float32] = (values / np.linalg.norm(values)).astype(np.float32)
    return normalised


def _fingerprint(picture: Picture) -> bytes:
    """Return the signs of differences between blocks, so that noise changes few bits; empty for a plain picture."""
    blocks = _blocks(picture)
    if float(np.ptp(blocks)) < 1:
        return b""
    order = np.random.default_rng(0).permutation(DIMENSIONS * 2)[:256] % DIMENSIONS
    values = blocks.ravel()
    return np.packbits(values[order] > np.roll(values, 7)[order]).tobytes()


def embedded_search(storage: SqlStorage) -> EmbeddedSearch:
    """Return the embedded engine on a storage, with the fakes of this module."""
    return EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=2**20)
