"""Reads from a transform how the asked picture was made from the stored one: cut, mirrored, turned, scaled, framed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from bot.domain.comparison import ComparisonFacts, ComparisonKind, Sides, Tone
from bot.images.comparison.alignment import PictureAlignment, outline
from bot.images.features.warping import Matrix

Size = tuple[int, int]
"""Width and height in pixels."""

_LEAST_SHARE = 0.015
"""Share of a side from which something is said to be cut off or added. The transform is as exact as a third of it."""
_LEAST_AREA = 0.03
_DEGREES = 1.0
"""Angle from which a picture is said to be turned."""
_SLANTED = 10.0
"""The same for a picture that is seen at an angle, whose sides have several directions."""
_OBLIQUE = 0.03
"""How far an outline is from a parallelogram, as a share of its diagonal, if it is seen at an angle."""
_STRETCHED = 0.06
_SCALED = 0.06


@dataclass(frozen=True, slots=True)
class _Shape:
    """The linear part of a transform: rotation in degrees clockwise, scale across and down, and whether it mirrors."""

    degrees: float
    across: float
    down: float
    mirrored: bool


def describe(
    alignment: PictureAlignment, asked: Size, stored: Size, source_sizes: tuple[Size, Size] | None = None
) -> ComparisonFacts:
    """Return what the transform says, without the colours and the places that differ.

    ``asked`` and ``stored`` are the sizes of the aligned pictures. The scale is known from ``source_sizes``, those of
    their files.
    """
    to_stored, to_asked = alignment.matrix, alignment.inverse
    shape = _shape_of(to_asked, stored)
    oblique = _is_oblique(to_stored, asked)
    is_tilted = abs((shape.degrees + 45) % 90 - 45) > _DEGREES
    shown, whole = outline(to_stored, *asked), outline(to_asked, *stored)
    tilted = oblique or is_tilted or alignment.kind is ComparisonKind.OTHER_PHOTO
    hidden, beyond = _beyond(shown, stored), _beyond(whole, asked)
    stretch = max(shape.across, shape.down) / max(min(shape.across, shape.down), 1e-6)
    return ComparisonFacts(
        kind=alignment.kind,
        cut=Sides() if tilted else _margins(shown, stored),
        hidden=hidden if hidden >= _LEAST_AREA else 0.0,
        added=Sides() if tilted else _margins(whole, asked),
        beyond=beyond if beyond >= _LEAST_AREA + (_corners(whole) if is_tilted and not oblique else 0) else 0.0,
        mirrored=shape.mirrored,
        turned=shape.degrees if abs(shape.degrees) > (_SLANTED if oblique else _DEGREES) else 0.0,
        scale=None if oblique else _scale(shape, source_sizes),
        stretched=not oblique and stretch > 1 + _STRETCHED,
        oblique=oblique,
        tone=Tone.INVERTED if alignment.inverted else Tone.SAME,
    )


def _shape_of(matrix: Matrix, size: Size) -> _Shape:
    """Return the linear part at the middle of a picture of this size. Mirroring left to right comes first."""
    x, y = (length / max(size) / 2 for length in size)
    px, py, w = matrix @ np.array((x, y, 1.0))
    jacobian = (matrix[:2, :2] - np.outer((px / w, py / w), matrix[2, :2])) / w
    mirrored = bool(np.linalg.det(jacobian) < 0)
    if mirrored:
        jacobian = jacobian @ np.diag((-1.0, 1.0))
    across, down = (float(np.linalg.norm(jacobian[:, axis])) for axis in (0, 1))
    # y points downwards, so positive angles are clockwise.
    degrees = math.degrees(math.atan2(jacobian[1, 0] - jacobian[0, 1], jacobian[0, 0] + jacobian[1, 1]))
    return _Shape(degrees, across, down, mirrored)


def _is_oblique(matrix: Matrix, size: Size) -> bool:
    first, second, third, fourth = outline(matrix, *size)
    diagonal = max(float(np.linalg.norm(third - first)), float(np.linalg.norm(fourth - second)), 1e-6)
    return float(np.linalg.norm(first - second + third - fourth)) / diagonal > _OBLIQUE


def _margins(polygon: Matrix, size: Size) -> Sides:
    """Return the shares of a picture's sides that lie outside of an upright rectangle."""
    across, down = (length / max(size) for length in size)
    (left, top), (right, bottom) = polygon.min(axis=0), polygon.max(axis=0)
    shares = (left / across, top / down, 1 - right / across, 1 - bottom / down)
    return Sides(*(float(share) if share >= _LEAST_SHARE else 0.0 for share in shares))


def _beyond(polygon: Matrix, size: Size) -> float:
    """Return the share of a picture's area that lies outside of a polygon."""
    across, down = (length / max(size) for length in size)
    canvas = 400
    mask = np.zeros((max(1, round(down * canvas)), max(1, round(across * canvas))), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * canvas * 16).clip(-(2**24), 2**24).astype(np.int32)], 1, shift=4)
    return 1 - float(mask.mean())


def _corners(polygon: Matrix) -> float:
    """Return the share of a polygon's box outside of it: the corners that a turned picture leaves."""
    box = float(np.prod(np.ptp(polygon, axis=0)))
    return 1 - float(cv2.contourArea(polygon.astype(np.float32))) / max(box, 1e-9)


def _scale(shape: _Shape, source_sizes: tuple[Size, Size] | None) -> float | None:
    """Return the asked picture's size as a multiple of the stored one's, or None if it is the same or unknown."""
    if source_sizes is None:
        return None
    ours, theirs = (max(size) for size in source_sizes)
    scale = math.sqrt(shape.across * shape.down) * ours / theirs
    return scale if abs(math.log(max(scale, 1e-6))) > _SCALED else None
