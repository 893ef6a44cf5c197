"""Evidence that a query is a copy of a stored picture, and the words for its edits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bot.adapters.embedded.verification import rigidity, scoring
from bot.domain.matches import Edit
from bot.images.features import geometry, warping
from bot.images.features.comparison import colours, differences, drawing, fine_print
from bot.images.features.comparison.fine_print import FineComparison
from bot.images.features.geometry import Alignment
from bot.images.features.local_features import LocalFeatures
from bot.images.features.query_views import QueryRegion, QueryView

# Thresholds of edits. Recompression at JPEG quality 10 stays below each (bench.recognition.quality, test_verifier.py).
_CROPPED, _FRAMED, _ROTATED_CORNERS = 0.05, 0.05, 0.12
_ROTATION_DEGREES = 1.5
_PERSPECTIVE = 0.03
_OVERLAID_SIDE, _OVERLAID_AREA, _OVERLAID_AREA_IF_RECOLOURED = 0.12, 0.002, 0.03

# Limits within which a copy counts as the same image: fingerprint distance, correlation, and worst patch.
_SAME_DISTANCE, _SAME_CORRELATION, _SAME_WORST, _SAME_WORST_ON_PLAIN = 20, 0.95, 0.6, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class CopyEvidence:
    """An alignment that proves a copy, with its score.

    ``distance`` is the fingerprint's Hamming distance, or None if matched points prove the copy. ``inverted``: the
    negative of the query was aligned.
    """

    score: float
    view: QueryView
    stored: LocalFeatures
    alignment: Alignment
    mirrored: bool
    distance: int | None
    inverted: bool = False

    @property
    def degrees(self) -> float:
        """The angle by which the query is turned, from 0 to 180."""
        matrix = self.alignment.matrix
        sign = -1.0 if self.mirrored and self.distance is not None else 1.0
        return abs(math.degrees(math.atan2(matrix[1, 0], sign * matrix[0, 0])))

    @property
    def is_photographed(self) -> bool:
        """Whether the query shows the picture in perspective."""
        return warping.perspective(self.view.features, self.alignment.matrix) > _PERSPECTIVE


def probability(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> float:
    """Return the probability of a copy. It stays below PROOF if the aligned pictures show different content."""
    found = scoring.copy_probability(
        alignment.correlation, alignment.typical, alignment.inliers, alignment.matched, alignment.trimmed
    )
    if alignment.is_homography:
        found = _in_perspective(view, stored, alignment, found)
    if found >= scoring.PROOF:
        return scoring.BELOW_PROOF if shows_other_content(view, stored, alignment) else found
    if found >= scoring.FINE_HINT and alignment.inliers >= scoring.PROOF_INLIERS:
        fine = fine_print.compare(view, stored, alignment.matrix)
        agrees = fine is not None and scoring.agrees_finely(fine) and not _is_little(alignment)
        if agrees and not rigidity.has_moved(view, stored, alignment):
            return scoring.PROOF
    return found


def _in_perspective(view: QueryView, stored: LocalFeatures, alignment: Alignment, found: float) -> float:
    if scoring.is_panned(alignment):
        return 0.0
    plain = differences.plain_share(stored) >= scoring.PLAIN_BACKGROUND
    if plain or alignment.inliers < scoring.PERSPECTIVE_INLIERS:
        return found
    differing = differences.measure(view, stored, alignment.matrix).share
    proves = scoring.proves_in_perspective(alignment.inliers, alignment.matched, alignment.correlation, differing)
    if proves and found < scoring.PROOF:
        fine = fine_print.compare(view, stored, alignment.matrix)
        proves = fine is None or sum(one.area for one in fine.changes) <= scoring.PHOTOGRAPHED_CHANGES
    return max(found, scoring.PROOF) if proves else min(found, scoring.BELOW_PROOF)


def shows_other_content(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> bool:
    """Return whether the pictures share only a letterhead, a page, a template, an app's screen or a scene."""
    if _is_little(alignment):
        return True
    plain = differences.plain_share(stored) >= scoring.PLAIN_BACKGROUND
    if plain and colours.hue_difference(view, stored, alignment.matrix) > scoring.HUE_DEGREES:
        return True
    found = differences.measure(view, stored, alignment.matrix)
    other = scoring.shows_other_content(differences.plain_share(stored), found.largest, found.share, found.worst)
    if other and not plain:
        return True
    fine = fine_print.compare(view, stored, alignment.matrix)
    if fine is not None and not plain:
        other = scoring.has_other_words(fine.changes) or scoring.changed_too_much(fine.changes, alignment.typical)
        other = other or rigidity.shows_another_thing(alignment, fine)
    elif fine is not None:
        other = not _agrees_on_plain(fine, alignment, other=other)
    return other or rigidity.has_moved(view, stored, alignment)


def _agrees_on_plain(fine: FineComparison, alignment: Alignment, *, other: bool) -> bool:
    if not fine.changes:
        return not other or scoring.agrees_finely(fine)
    return scoring.is_added(fine.changes, alignment.agreement) and fine.worst <= scoring.ADDED_WORST


def _is_little(alignment: Alignment) -> bool:
    return alignment.shared < scoring.MIN_SHARED


def edits_of(proof: CopyEvidence) -> tuple[Edit, ...]:
    """Return how the query differs from the stored picture."""
    return tuple(_edits(proof))


def is_same(proof: CopyEvidence) -> bool:
    """Return whether a copy without edits agrees so well that it is the same image."""
    alignment = proof.alignment
    plain = differences.plain_share(proof.stored) >= scoring.PLAIN_BACKGROUND
    return (
        (proof.distance is None or proof.distance <= _SAME_DISTANCE)
        and alignment.correlation >= _SAME_CORRELATION
        and alignment.worst <= (_SAME_WORST_ON_PLAIN if plain else _SAME_WORST)
    )


def _edits(proof: CopyEvidence) -> Iterator[Edit]:
    alignment, photographed = proof.alignment, proof.is_photographed
    is_rotated = proof.degrees > _ROTATION_DEGREES
    # Rotation by other than right angles cuts corners off or adds new ones. That alone is neither a crop nor a frame.
    is_tilted = is_rotated and abs(proof.degrees % 90 - 45) < 45 - _ROTATION_DEGREES
    if 1 - alignment.covered > (_ROTATED_CORNERS if is_tilted else _CROPPED):
        yield Edit.CROPPED
    if proof.mirrored:
        yield Edit.MIRRORED
    if is_rotated and not (photographed and is_tilted):
        yield Edit.ROTATED
    if alignment.outside > (_ROTATED_CORNERS if is_tilted else _FRAMED) and not photographed:
        yield Edit.FRAMED
    if proof.inverted:
        yield Edit.INVERTED
    recoloured = not photographed and colours.is_recoloured(proof.view, proof.stored, alignment.matrix)
    if recoloured and not proof.inverted:
        yield Edit.RECOLOURED
    if photographed:
        yield Edit.PHOTOGRAPHED
    elif _is_overlaid(proof, _OVERLAID_AREA_IF_RECOLOURED if recoloured else _OVERLAID_AREA):
        yield Edit.OVERLAID


def _is_overlaid(proof: CopyEvidence, least: float) -> bool:
    """Return whether something covers at least this share of the stored picture. Filters change some details too."""
    fine = fine_print.compare(proof.view, proof.stored, proof.alignment.matrix)
    if fine is None:
        return differences.measure(proof.view, proof.stored, proof.alignment.matrix).largest > _OVERLAID_SIDE
    added = [one for one in fine.changes if one.query_detail >= scoring.PRINT_DETAIL]
    return sum(one.area for one in added) > least


def by_fingerprint(view: QueryView, stored: LocalFeatures, distance: int, orientation: np.ndarray) -> Alignment | None:
    """Return the whole pictures, laid over each other, if a fingerprint at this distance proves a copy."""
    alignment = geometry.overlay(view, stored, orientation)
    if alignment is None or not scoring.fingerprint_proves(
        distance, alignment.correlation, alignment.trimmed, alignment.typical
    ):
        return None
    return alignment


def is_on_other_ground(regions: Sequence[QueryRegion], stored: LocalFeatures) -> bool:
    """Return whether the whole query shows the stored drawing on a plain ground of another colour."""
    if not regions or differences.plain_share(stored) < scoring.DRAWING_BACKGROUND:
        return False
    return drawing.is_same_on_other_ground(regions[0].view, stored)
