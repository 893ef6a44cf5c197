"""Lays two drawings over each other whose plain grounds have other colours, such as a logo on white and on black.

Points don't match there, and every edge against the ground is reversed. The boxes of the drawings say how they lie.
"""

from __future__ import annotations

import cv2
import numpy as np

from bot.images.comparison.agreement import Reference
from bot.images.features.local_features import Pixels
from bot.images.features.query_views import QueryView
from bot.images.features.warping import Matrix

_CLEAR = 24
"""Difference from the ground, of 255, from which a pixel belongs to the drawing."""
_RIM_SHARE = 0.9
"""Least share of the border that has the ground's tone."""
_ASPECT = 0.1
"""Greatest difference of the logarithms of the boxes' aspect ratios."""
_LEAST_SIDE = 16
_OUTLINES = 0.4
"""Least correlation of the drawings' outlines."""
_SIDE = 128


def align(view: QueryView, reference: Reference) -> Matrix | None:
    """Return the transform that brings the one drawing's box onto the other's, if their outlines agree there."""
    ours, theirs = _drawn_box(view.gray), _drawn_box(reference.gray)
    if ours is None or theirs is None:
        return None
    sizes = [(right - left, bottom - top) for left, top, right, bottom in (ours, theirs)]
    aspects = [np.log(across / down) for across, down in sizes]
    if abs(aspects[0] - aspects[1]) > _ASPECT or _likeness(view.gray, ours, reference.gray, theirs) < _OUTLINES:
        return None
    first, second = max(view.gray.shape), max(reference.gray.shape)
    across, down = (sizes[1][axis] / sizes[0][axis] for axis in (0, 1))
    return np.array(
        (
            (across * first / second, 0, (theirs[0] - across * ours[0]) / second),
            (0, down * first / second, (theirs[1] - down * ours[1]) / second),
            (0, 0, 1),
        ),
        np.float64,
    )


def _drawn_box(gray: Pixels) -> tuple[int, int, int, int] | None:
    """Return the box of what is drawn on a plain ground, or None if the border isn't plain."""
    rim = np.concatenate((gray[0], gray[-1], gray[:, 0], gray[:, -1])).astype(np.int16)
    ground = int(np.median(rim))
    if float((np.abs(rim - ground) <= _CLEAR / 2).mean()) < _RIM_SHARE:
        return None
    mask = np.abs(gray.astype(np.int16) - ground) > _CLEAR
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if len(columns) < _LEAST_SIDE or len(rows) < _LEAST_SIDE:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _likeness(
    first: Pixels, first_box: tuple[int, int, int, int], second: Pixels, second_box: tuple[int, int, int, int]
) -> float:
    """Return the correlation of the strengths of edges, which are the same on any ground."""
    edges = []
    for gray, (left, top, right, bottom) in ((first, first_box), (second, second_box)):
        part = cv2.resize(gray[top:bottom, left:right], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(part.astype(np.float32), (0, 0), 1.5)
        strength = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
        edges.append(strength - strength.mean())
    spread = max(float(edges[0].std() * edges[1].std()), 1e-6)
    return float((edges[0] * edges[1]).mean()) / spread
