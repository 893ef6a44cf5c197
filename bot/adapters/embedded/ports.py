"""What the embedded engine needs from outside: analysis of pictures, and rows that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bot.domain.matches import Edit, Verdict
from bot.domain.pictures import Picture

CalibrationCurve = tuple[tuple[float, float], ...]
"""A piecewise linear, rising curve from cosine to score: (cosine, score) pairs."""

FINGERPRINT_RADIUS = 48
"""Farthest Hamming distance, of 256 bits, at which a fingerprint makes an image a candidate."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """What is kept of an image.

    ``embedding`` is float32, L2-normalised; ``fingerprint`` the 32 bytes of PDQ (empty when the picture has too
    little detail for one); ``sketch`` the ORB points and descriptors, at most 16 KB, opaque here.
    """

    embedding: npt.NDArray[np.float32]
    fingerprint: bytes
    local_features: bytes


@dataclass(frozen=True, slots=True, eq=False)
class QueryFeatures:
    """A query picture, seen in every way that is tried.

    ``embeddings``: views × dimensions (the picture; its content box when it has a frame). ``fingerprints``: rows
    of 32 bytes, uint8 (the eight orientations of each view; none for a picture with too little detail).
    ``sketches``: opaque, for the judge.
    """

    embeddings: npt.NDArray[np.float32]
    fingerprints: npt.NDArray[np.uint8]
    regions: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may be shown: greatest cosine over the views, nearest fingerprint (None: beyond reach).

    ``fingerprint_row`` is the row of ``QueryFeatures.fingerprints`` that was nearest; ``sketch`` is empty for
    candidates too far down to be looked at closely.
    """

    row_id: int
    cosine: float
    fingerprint_distance: int | None = None
    fingerprint_row: int | None = None
    local_features: bytes = b""


@dataclass(frozen=True, slots=True)
class ScoredMatch:
    """The score from 0 to 10 and what the evidence says."""

    score: float
    verdict: Verdict
    edits: tuple[Edit, ...] = ()


class FeatureExtractor(Protocol):
    """Pictures to features. CPU work happens in its own bounded executor, never on the event loop."""

    @property
    def model_id(self) -> str:
        """Names the model and its preparation; vectors of two models are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of an embedding."""
        ...

    async def extract(self, picture: Picture) -> ImageFeatures:
        """For an add."""
        ...

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        """For a search."""
        ...

    async def close(self) -> None:
        """Finish what is queued and let go of threads."""
        ...


class Verifier(Protocol):
    """Evidence to scores. Pure CPU work; the engine runs it off the event loop."""

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        """One judgement a candidate, in their order.

        ``calibration``: the database's own curve, None for the default.
        """
        ...
