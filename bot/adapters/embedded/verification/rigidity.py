"""Rigidity: a copy fits its original everywhere, while two shots of one scene show what is near and far apart.

It refuses proof of a copy to the neighbours of a burst, and it proves copies that hide too much for other evidence,
such as a crop that was mirrored, captioned and compressed. docs/decisions/0042 has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.adapters.embedded.verification import scoring
from bot.images.features.comparison import differences, motion
from bot.images.features.comparison.fine_print import FineComparison
from bot.images.features.geometry import Alignment
from bot.images.features.local_features import LocalFeatures
from bot.images.features.query_views import QueryView

STILL_TYPICAL = 0.05
"""``Alignment.typical`` up to which nothing moved. Two shots of a burst differed by 0.09 at least."""

MOVED, MOVED_TRACKED = 0.33, 0.45
"""Least ``Motion.residual`` of two shots of one scene, and least share of tracked points. Where fewer can be tracked,
the picture is blurred or without texture, and its residual is noise."""

STAYING = 40
"""Least number of tracked points that show that nothing moved. The residual of fewer is chance."""

REPLACED_AGREEMENT = 0.7
"""Share of agreeing points below which no sticker explains what was replaced."""

RIGID_AGREEMENT, RIGID_TRACKED = 0.8, 45
"""Least share of agreeing points, and least number of tracked ones, of a copy that is proved because nothing moved."""

RIGID_DETAIL, LARGE_CHANGE = 0.8, 0.02
"""Least ``Change.query_detail`` of changes of LARGE_CHANGE and more: something was added there. Where one thing stands
in another's place, both pictures have less detail at its edges."""


@dataclass(frozen=True, slots=True)
class RigidLimits:
    """Limits within which nothing moved and the luminances agree well enough.

    ``trimmed``: least ``Alignment.trimmed``. ``typical``: the greatest. ``changed``: greatest area of the changes.
    ``tracked``: least share of tracked points. ``residual``: greatest ``Motion.residual``.
    """

    trimmed: float
    typical: float
    changed: float
    tracked: float
    residual: float


RIGID = (RigidLimits(0.97, 0.22, 0.28, 0.3, 0.27), RigidLimits(0.93, 0.32, 0.33, 0.6, 0.12))
"""The fewer points move, and the less, the more the luminances may differ, as under a strong compression of fabrics."""


def has_replaced(fine: FineComparison) -> bool:
    """Return whether one thing stands in another's place, rather than that something was added."""
    return any(one.area >= LARGE_CHANGE and one.query_detail < RIGID_DETAIL for one in fine.changes)


def shows_another_thing(alignment: Alignment, fine: FineComparison) -> bool:
    """Return whether two pictures share a pack's front or a floor, and other things are beside or on it.

    Nearly all other points of a copy with a sticker agree, and a photograph of a picture shows what the picture shows.
    """
    return (alignment.is_homography or alignment.agreement < REPLACED_AGREEMENT) and has_replaced(fine)


def has_moved(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> bool:
    """Return whether things moved between the aligned pictures, so that they are two shots of one scene."""
    if alignment.typical <= STILL_TYPICAL:
        return False
    found = motion.measure(view, stored, alignment.matrix)
    if found is None or found.tracked < MOVED_TRACKED * found.points:
        return False
    return found.residual >= MOVED


def stays(view: QueryView, stored: LocalFeatures, alignment: Alignment) -> bool:
    """Return whether enough points were tracked between the aligned pictures to say that nothing moved."""
    found = motion.measure(view, stored, alignment.matrix)
    return found is not None and found.tracked >= STAYING and found.residual < MOVED


def may_be_rigid(alignment: Alignment) -> bool:
    """Return whether two aligned pictures agree so well that their movement is worth measuring."""
    return (
        alignment.inliers >= RIGID_AGREEMENT * alignment.matched
        and any(_luminances_agree(alignment, limits) for limits in RIGID)
        and alignment.shared >= scoring.MIN_SHARED
        and not (alignment.is_homography and scoring.is_panned(alignment))
    )


def _luminances_agree(alignment: Alignment, limits: RigidLimits) -> bool:
    return alignment.trimmed >= limits.trimmed and alignment.typical <= limits.typical


def proves_copy(view: QueryView, stored: LocalFeatures, alignment: Alignment, fine: FineComparison) -> bool:
    """Return whether nothing moved and what changed was added, on a picture without a plain ground."""
    if not may_be_rigid(alignment) or differences.plain_share(stored) >= scoring.PLAIN_BACKGROUND:
        return False
    if has_replaced(fine) or scoring.has_replaced_print(fine.changes):
        return False
    changed = sum(one.area for one in fine.changes)
    possible = [one for one in RIGID if _luminances_agree(alignment, one) and changed <= one.changed]
    found = motion.measure(view, stored, alignment.matrix) if possible else None
    if found is None or found.tracked < RIGID_TRACKED:
        return False
    return any(
        found.residual <= limits.residual and found.tracked >= limits.tracked * found.points for limits in possible
    )
