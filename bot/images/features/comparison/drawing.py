"""Compares drawings on plain grounds of different tones, such as a logo with transparency on white and on black.

Keypoints don't match there, since every edge against the ground is reversed. The drawings themselves are cut out,
brought to one size, aligned, and compared by outline and tone.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from bot.images.features.comparison.structure import Windows, compare_structure, largest_square
from bot.images.features.geometry import Values
from bot.images.features.local_features import LocalFeatures, Pixels
from bot.images.features.query_views import QueryView

_RIM_SHARE = 0.95
"""Least share of the border that has the ground's tone."""
_TONE, _CLEAR, _SOLID = 6.0, 14.0, 40.0
"""Differences from the ground, of 255: up to which a pixel belongs to it, from which to the drawing, and wholly."""
_OTHER_GROUND = 20.0
"""Least difference of the grounds. Drawings on one ground are aligned by their points."""
_SIDE, _MARGIN = 256, 6
"""Long side of the drawings that are compared, and the empty margin around them, in pixels."""
_ASPECT = 0.08
"""Greatest difference of the logarithms of the boxes' aspect ratios."""
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 1e-4)
_WINDOW = 9
_WINDOWS = Windows(side=_WINDOW, detail=20.0, noise=100.0, correlation=0.6)
_MAX_SQUARE, _MAX_WORST, _MAX_TONE = 9.0, 0.47, 10.0
"""Greatest square that differs in pixels, greatest mean difference of a patch of the outlines (0 to 1), and greatest
mean difference of luminance inside of both. A letter that was replaced is above the first two."""
_MIN_OUTLINE = 1.6
"""Least length of the outline, in circumferences of the box. Disks and rectangles have shorter ones and fit others."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What lies on a plain ground, inside its box.

    ``cover``: how far it covers the ground, from 0 to 255. ``ground``: the ground's luminance.
    """

    luminance: Values
    cover: Values
    ground: float


def cut_out(gray: Pixels, pixels: Pixels | None = None) -> Drawing | None:
    """Return the drawing on a plain ground, or None if the border isn't plain or nothing is drawn.

    With ``pixels``, the RGB pixels of the same size, the drawing may differ from the ground by its colour alone.
    """
    channels = (gray[:, :, None] if pixels is None else pixels).astype(np.float32)
    rim = np.concatenate((channels[0], channels[-1], channels[:, 0], channels[:, -1]))
    colour = np.median(rim, axis=0)
    if float((np.abs(rim - colour).max(axis=1) <= _TONE).mean()) < _RIM_SHARE:
        return None
    distance = np.abs(channels - colour).max(axis=2)
    mask = distance > _CLEAR
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if len(columns) < 2 * _WINDOW or len(rows) < 2 * _WINDOW:
        return None
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    ground = float(np.median(np.concatenate((gray[0], gray[-1], gray[:, 0], gray[:, -1]))))
    return Drawing(gray[box].astype(np.float32), np.minimum(distance[box] / _SOLID, 1) * 255, ground)


def is_same_on_other_ground(query: QueryView, stored: LocalFeatures) -> bool:
    """Return whether both show the same drawing, not turned or mirrored, on plain grounds of different tones."""
    ours = _drawing_of(query)
    fine = None if ours is None else stored.fine_luminance()
    theirs = None if fine is None else cut_out(fine)
    if ours is None or theirs is None or abs(ours.ground - theirs.ground) < _OTHER_GROUND:
        return False
    height, width = theirs.cover.shape
    if abs(np.log(ours.cover.shape[1] / ours.cover.shape[0] * height / width)) > _ASPECT:
        return False
    scale = _SIDE / max(height, width)
    size = max(2 * _WINDOW, round(width * scale)), max(2 * _WINDOW, round(height * scale))
    return _agree(ours, theirs, size)


_drawings: WeakKeyDictionary[QueryView, Drawing | None] = WeakKeyDictionary()
"""What was cut out of a query, which is compared with several stored pictures."""


def _drawing_of(query: QueryView) -> Drawing | None:
    if query not in _drawings:
        height, width = query.gray.shape
        reduced = cv2.resize(query.pixels, (width, height), interpolation=cv2.INTER_AREA)
        _drawings[query] = cut_out(query.gray, np.asarray(reduced, np.uint8))
    return _drawings[query]


def _agree(ours: Drawing, theirs: Drawing, size: tuple[int, int]) -> bool:
    second = _soft(theirs, size)
    first = _aligned(_soft(ours, size), second)
    if first is None or _outline(second) < _MIN_OUTLINE:
        return False
    found = compare_structure(first, second, np.ones(first.shape, bool), _WINDOWS)
    worst = float(cv2.blur(np.abs(first - second), (_WINDOW, _WINDOW)).max()) / 255
    if largest_square(found.unlike) > _MAX_SQUARE or worst > _MAX_WORST:
        return False
    solid = ((first > 200) & (second > 200)).astype(np.uint8)  # noqa: PLR2004 - nearly whole cover
    inside = cv2.erode(solid, np.ones((5, 5), np.uint8))[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].astype(bool)
    if not inside.any():
        return True
    tones = np.abs(_resized(ours.luminance, size) - _resized(theirs.luminance, size))[inside]
    return float(tones.mean()) <= _MAX_TONE


def _aligned(first: Values, second: Values) -> Values | None:
    height, width = second.shape
    try:
        _, found = cv2.findTransformECC(
            second.astype(np.uint8), first.astype(np.uint8), np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, _STEPS
        )
    except cv2.error:  # it doesn't converge: the drawings have nothing in common
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(first, found, (width, height), flags=flags), np.float32)


def _soft(drawing: Drawing, size: tuple[int, int]) -> Values:
    bordered = cv2.copyMakeBorder(
        _resized(drawing.cover, size), _MARGIN, _MARGIN, _MARGIN, _MARGIN, cv2.BORDER_CONSTANT, value=0
    )
    return np.asarray(cv2.GaussianBlur(bordered, (0, 0), 0.8), np.float32)


def _resized(values: Values, size: tuple[int, int]) -> Values:
    method = cv2.INTER_AREA if size[0] < values.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, size, interpolation=method), np.float32)


def _outline(cover: Values) -> float:
    """Return the length of all outlines, in circumferences of the box."""
    mask = cover > 127  # noqa: PLR2004 - half cover
    steps = float((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())
    return steps / (2.0 * sum(mask.shape))
