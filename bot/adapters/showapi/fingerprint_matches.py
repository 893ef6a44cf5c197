"""What our own fingerprints say of a picture: which stored ones are copies of it. The service tells no such thing."""

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
"""Bits of 256 within which PDQ's authors take two pictures for copies; of look-alike forms, slides, labels and codes
(``bench lookalikes``) 1.2 % of pairs are as near, and 1.0 % are within 4: those differ in next to nothing."""

SAME_SCORE, MIN_COPY_SCORE = 10.0, 9.0

_IDENTITY, _HALF_TURN, _QUARTER_TURNS = 0, 3, (5, 6)


@dataclass(frozen=True, slots=True)
class CopyMatch:
    """That a stored picture is a copy. ``score``: 9 to 10, as all back ends score copies."""

    score: float
    verdict: Verdict
    edits: tuple[Edit, ...] = ()


class CopyDetector:
    """The fingerprints of one picture in all eight ways of turning and mirroring it. Making one takes the CPU."""

    def __init__(self, picture: Picture) -> None:
        self._digest = picture.digest
        self._orientations = fingerprint.orientations(fingerprint.luminance(picture.pixels))

    def find_copies(self, stored: Sequence[tuple[DataId, str, bytes]]) -> dict[DataId, CopyMatch]:
        """Those of the stored pictures (data id, digest, fingerprint) that are copies."""
        copies = {
            data_id: CopyMatch(SAME_SCORE, Verdict.SAME) for data_id, digest, _ in stored if digest == self._digest
        }
        marked = [(data_id, mark) for data_id, _, mark in stored if mark and data_id not in copies]
        if marked and len(self._orientations):
            distances = _distances(self._orientations, (mark for _, mark in marked))
            nearest = distances.argmin(axis=0)
            for (data_id, _), row, distance in zip(marked, nearest, distances.min(axis=0), strict=True):
                if distance <= COPY_RADIUS:
                    copies[data_id] = _copy(int(row), int(distance))
        return copies


def _distances(orientations: npt.NDArray[np.uint8], fingerprints: Iterable[bytes]) -> npt.NDArray[np.int64]:
    """Ways × pictures, in bits."""
    kept = np.frombuffer(b"".join(fingerprints), np.uint64).reshape(-1, fingerprint.BYTES // 8)
    ways = np.ascontiguousarray(orientations).view(np.uint64)
    return np.stack([np.bitwise_count(kept ^ way).sum(axis=1, dtype=np.int64) for way in ways])


def _copy(row: int, distance: int) -> CopyMatch:
    # A hash can't see small edits: only equal pixels are called the same image.
    score = SAME_SCORE - (SAME_SCORE - MIN_COPY_SCORE) * (distance + 1) / (COPY_RADIUS + 1)
    return CopyMatch(score, Verdict.EDITED, _edits(row))


def _edits(row: int) -> tuple[Edit, ...]:
    if row == _IDENTITY:
        return ()
    return (Edit.ROTATED,) if row == _HALF_TURN or row in _QUARTER_TURNS else (Edit.MIRRORED,)
