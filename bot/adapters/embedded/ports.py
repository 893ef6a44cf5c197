"""Ports of the embedded back end: feature extraction and verification, and the values that they exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bot.domain.matches import Edit, PictureRegion, Verdict
from bot.domain.pictures import Picture

CalibrationCurve = tuple[tuple[float, float], ...]
"""Rising (cosine, score) pairs. The score of a cosine is interpolated linearly between them."""

CUSTOM_MODEL = "custom-"
"""Beginning of the ids of operators' own models."""

MAX_SIMILARITY_SCORE = 8.9
"""Greatest score that the cosine alone can give."""

FINGERPRINT_RADIUS = 48
"""Greatest Hamming distance, of 256 bits, at which a fingerprint makes an image a candidate."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """The features that are stored for an image.

    ``embedding``: float32, one dimension, L2 norm 1. ``fingerprint``: the 32 bytes of a PDQ hash, or empty if the
    picture has too little detail. ``local_features``: ORB points and descriptors with a thumbnail, packed in at most
    22 KB; only the verifier reads them. ``point_features``: SIFT points and codes, packed in at most 16 KB; only
    ``item_evidence`` reads them. ``pending_points``: what they are computed from later, if they are empty.
    """

    embedding: npt.NDArray[np.float32]
    fingerprint: bytes
    local_features: bytes
    point_features: bytes = b""
    pending_points: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class QueryFeatures:
    """All features of a query picture. Its views are the whole picture and, if it has a frame, its content box.

    The features of a part of a picture have that part as their only view.

    ``embeddings``: views × dimensions, float32, each row of L2 norm 1. ``fingerprints``: n × 32, uint8, with the eight
    orientations of each view; a view with too little detail has no rows. ``regions``: one object for each view, which
    only the verifier reads.
    """

    embeddings: npt.NDArray[np.float32]
    fingerprints: npt.NDArray[np.uint8]
    regions: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that a nearest-neighbour search found and that is to be verified.

    ``cosine``: the greatest over the query's embeddings. ``fingerprint_distance``: in bits, or None beyond
    FINGERPRINT_RADIUS. ``fingerprint_row``: the nearest row of ``QueryFeatures.fingerprints``. ``local_features``:
    packed, or empty for a candidate that ranks too low to be verified.
    """

    row_id: int
    cosine: float
    fingerprint_distance: int | None = None
    fingerprint_row: int | None = None
    local_features: bytes = b""


@dataclass(frozen=True, slots=True)
class ScoredMatch:
    """A candidate's score, from 0 to 10, with its verdict and the detected edits.

    ``part`` is the part of the query that proved a copy, or None for the whole.
    """

    score: float
    verdict: Verdict
    edits: tuple[Edit, ...] = ()
    part: PictureRegion | None = None


class FeatureExtractor(Protocol):
    """Computes the features of pictures in a bounded thread pool, so that the event loop stays free."""

    @property
    def model_id(self) -> str:
        """The id of the model and its preprocessing. Vectors of different models are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of an embedding."""
        ...

    async def extract(self, picture: Picture) -> ImageFeatures:
        """Return the features to store for a picture. Raises BackendError."""
        ...

    async def extract_query(self, picture: Picture) -> QueryFeatures:
        """Return the features to search with. Raises BackendError."""
        ...

    async def propose_regions(self, picture: Picture) -> tuple[PictureRegion, ...]:
        """Return regions that may show other pictures, the most promising first. Most photographs have none."""
        ...

    async def extract_regions(self, picture: Picture, regions: Sequence[PictureRegion]) -> tuple[QueryFeatures, ...]:
        """Return the features to search with for each of these parts of a picture. Raises BackendError."""
        ...


class Verifier(Protocol):
    """Decides which candidates are copies, and scores them. Pure CPU work: call it off the event loop."""

    def verify(
        self, query_features: QueryFeatures, candidates: Sequence[Candidate], calibration: CalibrationCurve | None
    ) -> list[ScoredMatch]:
        """Return one scored match for each candidate, in the same order.

        The candidates must be sorted, the most alike first. ``calibration`` is the database's own curve, or None for
        the default.
        """
        ...
