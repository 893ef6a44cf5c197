"""Finds copies of a picture by our own fingerprints. The hosted service doesn't say which matches are copies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.domain.identifiers import DataId
from bot.domain.matches import Edit, Verdict
from bot.domain.pictures import Picture
from bot.images.features import fingerprint

COPY_RADIUS = 31
"""Hamming distance, of 256 bits, within which PDQ's authors count two pictures as copies. In ``bench lookalikes``,
1.2 % of pairs of similar forms, slides, labels and codes are as near. 1.0 % are within 4 bits and hardly differ."""

SAME_SCORE, MIN_COPY_SCORE = 10.0, 9.0

_IDENTITY, _HALF_TURN, _QUARTER_TURNS = 0, 3, (5, 6)


@dataclass(frozen=True, slots=True)
class CopyMatch:
    """A stored picture that is a copy of the query. ``score`` is 9 to 10, as for copies in all back ends."""

    score: float
    verdict: Verdict
    edits: tuple[Edit, ...] = ()


class CopyDetector:
    """The fingerprints of one picture in all eight orientations. The constructor is CPU work: call it in a thread."""

    def __init__(self, picture: Picture) -> None:
        self._digest = picture.digest
        self._orientations = fingerprint.orientations(fingerprint.luminance(picture.pixels))

    def find_copies(self, stored: Sequence[tuple[DataId, str, bytes]]) -> dict[DataId, CopyMatch]:
        """Return the copies among the stored pictures, each given as (data id, digest, fingerprint)."""
        copies = {
            data_id: CopyMatch(SAME_SCORE, Verdict.SAME) for data_id, digest, _ in stored if digest == self._digest
        }
        others = [(data_id, text) for data_id, _, text in stored if text and data_id not in copies]
        if others and len(self._orientations):
            distances = _distances(self._orientations, (text for _, text in others))
            nearest = distances.argmin(axis=0)
            for (data_id, _), row, distance in zip(others, nearest, distances.min(axis=0), strict=True):
                if distance <= COPY_RADIUS:
                    copies[data_id] = _copy(int(row), int(distance))
        return copies


def _distances(orientations: npt.NDArray[np.uint8], fingerprints: Iterable[bytes]) -> npt.NDArray[np.int64]:
    """Return Hamming distances in bits, orientations × pictures."""
    stored = np.frombuffer(b"".join(fingerprints), np.uint64).reshape(-1, fingerprint.BYTES // 8)
    queries = np.ascontiguousarray(orientations).view(np.uint64)
    return np.stack([np.bitwise_count(stored ^ query).sum(axis=1, dtype=np.int64) for query in queries])


def _copy(row: int, distance: int) -> CopyMatch:
    # A perceptual hash misses small edits, so only equal pixels count as the same image.
    score = SAME_SCORE - (SAME_SCORE - MIN_COPY_SCORE) * (distance + 1) / (COPY_RADIUS + 1)
    return CopyMatch(score, Verdict.EDITED, _edits(row))


def _edits(row: int) -> tuple[Edit, ...]:
    if row == _IDENTITY:
        return ()
    return (Edit.ROTATED,) if row == _HALF_TURN or row in _QUARTER_TURNS else (Edit.MIRRORED,)
