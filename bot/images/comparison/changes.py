"""Finds the places where two aligned pictures differ, and ignores what recompression, exposure and resizing change."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from bot.domain.comparison import Tone
from bot.images.features.comparison.structure import Mask, inner_part
from bot.images.features.geometry import match_exposure
from bot.images.features.local_features import Pixels

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""

Values = npt.NDArray[np.float32]

SIDE = 400
"""Long side, in pixels, at which pictures are compared. At a larger one, recompression shows."""

MAX_CHANGES = 8
"""Places that are marked, the largest first. More would hide the picture."""

_RIM = 4
"""Pixels of the overlap's edge that are ignored, where a frame may show through."""
_LEAST_DIFFERENCE, _NOISES = 16.0, 5.0
"""Least difference that counts, of 255, and as a multiple of the typical one, which noise and blur make."""
_COLOUR_BLUR, _COLOUR_WEIGHT = 3.0, 1.4
_DETAIL_SHARE, _DETAIL_SIDE = 0.25, 9
"""How much a difference must exceed of the deviation around it, and the side of that window, in pixels."""
_BLURS = (0.8, 1.1, 1.5, 2.1, 3.0, 4.2)
"""Standard deviations by which the sharper picture is blurred, in pixels. The best counts."""
_GREAT = 40.0
"""Difference of luminances, of 255, from which all differences count alike."""
_AROUND = 5
"""Side of the window over which differences are averaged, in pixels."""
_SHIFT = 3
"""Side of the window, in pixels, in which a pixel's value may also lie: transforms are as exact as that."""
_JOINED = 11
"""Gap, in pixels, across which places count as one."""
_LEAST_AREA, _LEAST_PIXELS = 0.0006, 24
_MOST = 0.5
"""Share of the overlap from which it differs everywhere."""
_LIGHT = 0.12
"""Deviation of the blur that takes uneven light away, as a share of the long side, and how much of it is taken."""
_MOST_LIGHT = 30.0
_GRAY = 6.0
"""Chroma, of 255, below which a picture is black and white."""
_SAMPLE = 10_000
"""Pixels from which exposure and tone are read."""
_LEVEL = 12.0
"""Step of luminance in which the curve of a filter is read."""
_CLIPPED, _CLIPPED_BY = 250, 45.0
"""Value from which a filter may have cut a channel off, and by how much more a place must differ there."""
_BLACK, _WHITE, _SOME = 16.0, 235.0, 0.1
"""Luminances beyond which brightness says little, and the share of a picture that says something."""
_CHROMA, _BRIGHTNESS = 9.0, 14.0
"""Median differences from which a picture has other colours or another brightness."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The places that differ, largest first, and the tone of the asked picture."""

    boxes: tuple[Box, ...] = ()
    count: int = 0
    is_everywhere: bool = False
    tone: Tone = Tone.SAME


def find_changes(asked: Pixels, stored: Pixels, shared: Mask, *, inverted: bool = False) -> Changes:
    """Compare two RGB pictures of one size inside of what they share."""
    height, width = shared.shape
    scale = min(1.0, SIDE / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        asked, stored = (
            np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8) for one in (asked, stored)
        )
        shared = np.asarray(cv2.resize(shared.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 250)  # noqa: PLR2004
    found = _changes(asked, stored, shared, inverted=inverted)
    boxes = [tuple(round(side / scale) for side in box) for box in found.boxes]
    return replace(found, boxes=tuple((box[0], box[1], box[2], box[3]) for box in boxes))


def _changes(asked: Pixels, stored: Pixels, shared: Mask, *, inverted: bool) -> Changes:
    tone = Tone.INVERTED if inverted else _tone(asked, stored, shared)
    inner = inner_part(shared, _RIM)
    if not inner.any():
        return Changes(tone=tone)
    difference = _difference(asked, stored, inner, is_filtered=tone is not Tone.SAME, inverted=inverted)
    if tone is not Tone.SAME:
        clipped = ((asked.max(axis=2) >= _CLIPPED) | (asked.min(axis=2) <= 255 - _CLIPPED)).astype(np.float32)
        difference = np.maximum(difference - _CLIPPED_BY * cv2.blur(clipped, (_AROUND, _AROUND)), 0)
    noise = float(np.median(difference[inner]))
    mean = cv2.blur(difference, (_AROUND, _AROUND))
    mask = inner & (mean > max(_LEAST_DIFFERENCE, _NOISES * noise))
    if float(mask.sum()) > _MOST * float(inner.sum()):
        return Changes(is_everywhere=True, tone=tone)
    boxes = _boxes(mask, max(_LEAST_PIXELS, _LEAST_AREA * float(inner.sum())))
    return Changes(tuple(boxes[:MAX_CHANGES]), len(boxes), tone=tone)


def _tone(asked: Pixels, stored: Pixels, shared: Mask) -> Tone:
    step = max(1, int(shared.sum()) // _SAMPLE)
    ours, theirs = (
        np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[shared][::step], np.float32) for image in (asked, stored)
    )
    if not len(ours):
        return Tone.SAME
    chromas = [float(np.quantile(np.linalg.norm(one[:, 1:] - 128, axis=1), 0.9)) for one in (ours, theirs)]
    if min(chromas) < _GRAY < 2 * _GRAY < max(chromas):
        return Tone.GRAY if chromas[0] < chromas[1] else Tone.COLOURED
    distance = np.linalg.norm(ours[:, 1:] - theirs[:, 1:], axis=1)
    coloured = np.linalg.norm(theirs[:, 1:] - 128, axis=1) > 2 * _GRAY
    shift = float(np.median(distance[coloured])) if coloured.mean() > _SOME else float(np.median(distance))
    # White and black stay what they are in a brighter picture.
    between = (theirs[:, 0] > _BLACK) & (theirs[:, 0] < _WHITE)
    compared = between if between.mean() > _SOME else np.ones(len(ours), bool)
    brightness = float(np.median((ours[:, 0] - theirs[:, 0])[compared]))
    if abs(brightness) > max(_BRIGHTNESS, shift):
        return Tone.BRIGHTER if brightness > 0 else Tone.DARKER
    return Tone.OTHER if shift > _CHROMA else Tone.SAME


def _difference(asked: Pixels, stored: Pixels, inner: Mask, *, is_filtered: bool, inverted: bool) -> Values:
    """Return how far two pictures differ, after exposure, light and sharpness are made equal."""
    first, second = (np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2YCrCb), np.float32) for one in (asked, stored))
    ours, theirs = np.ascontiguousarray(first[:, :, 0]), np.ascontiguousarray(second[:, :, 0])
    if inverted:
        ours = 255 - ours
    # Not the other way round: what is white in a brighter picture could have been anything.
    theirs[inner] = (_filtered if is_filtered else _exposed)(theirs[inner], ours[inner])
    theirs = (theirs + _light(ours - theirs, inner)).clip(0, 255)
    blurs = _blurs(ours, theirs, inner)
    ours, theirs = _blurred(ours, blurs[0]), _blurred(theirs, blurs[1])
    found = np.maximum(_outside(ours, theirs), _outside(theirs, ours))
    for channel in () if is_filtered else (1, 2):
        # JPEG keeps a quarter of the colours' detail, so only larger places count.
        one, other = (_blurred(picture[:, :, channel], _COLOUR_BLUR) for picture in (first, second))
        one = one + float(np.median((other - one)[inner]))
        found = np.maximum(found, _COLOUR_WEIGHT * np.maximum(_outside(one, other), _outside(other, one)))
    # Where there is much detail, recompression changes more.
    detail = np.maximum(_deviation(ours), _deviation(theirs))
    return np.asarray(np.maximum(found - _DETAIL_SHARE * detail, 0) * inner, np.float32)


def _exposed(values: Values, aim: Values) -> Values:
    """Return values with gain and offset fitted. A sample is enough for the fit, which would take most of the time."""
    step = max(1, len(values) // _SAMPLE)
    sample = values[::step]
    fitted = match_exposure(sample, aim[::step])
    low, high = int(sample.argmin()), int(sample.argmax())
    gain = float(fitted[high] - fitted[low]) / max(float(sample[high] - sample[low]), 1e-3)
    return np.asarray(float(fitted[low]) + gain * (values - sample[low]), np.float32)


def _filtered(values: Values, aim: Values) -> Values:
    """Return values with the curve of a filter applied: what values of one level typically became, never falling."""
    levels = (values / _LEVEL).astype(np.intp)
    counts = np.bincount(levels, minlength=1)
    known = np.flatnonzero(counts >= max(_LEAST_PIXELS, _LEAST_AREA * len(values)))
    if len(known) < 2:  # noqa: PLR2004 - a curve needs two points
        return _exposed(values, aim)
    inputs = np.array([float(np.median(values[levels == level])) for level in known])
    outputs = np.maximum.accumulate([float(np.median(aim[levels == level])) for level in known])
    return np.interp(values, inputs, outputs).astype(np.float32)


def _deviation(values: Values) -> Values:
    mean = cv2.blur(values, (_DETAIL_SIDE, _DETAIL_SIDE))
    square = cv2.blur(values * values, (_DETAIL_SIDE, _DETAIL_SIDE))
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)


def _blurs(first: Values, second: Values, inner: Mask) -> tuple[float, float]:
    """Return by how much to blur each picture so that both are equally sharp: one may be small and enlarged."""
    least = _BLURS[0]
    pairs = [(least, least), *((blur, least) for blur in _BLURS[1:]), *((least, blur) for blur in _BLURS[1:])]
    blurred = [{blur: _blurred(one, blur) for blur in _BLURS} for one in (first, second)]

    def cost(pair: tuple[float, float]) -> float:
        difference = np.abs(blurred[0][pair[0]] - blurred[1][pair[1]])[inner]
        return float(np.minimum(difference, _GREAT).sum())

    return min(pairs, key=cost)


def _blurred(values: Values, deviation: float) -> Values:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), deviation), np.float32)


def _light(residual: Values, inner: Mask) -> Values:
    """Return the slow part of a difference: light falls unevenly on a photographed print."""
    weight = inner.astype(np.float32)
    deviation = _LIGHT * max(residual.shape)
    # The blur is slow, so it runs on a small picture.
    size = (max(1, residual.shape[1] // 8), max(1, residual.shape[0] // 8))
    clipped = residual.clip(-_MOST_LIGHT, _MOST_LIGHT) * weight
    small, count = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (clipped, weight))
    small, count = (cv2.GaussianBlur(one, (0, 0), max(1.0, deviation / 8)) for one in (small, count))
    slow = small / np.maximum(count, 1e-3)
    return np.asarray(cv2.resize(slow, residual.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _outside(values: Values, others: Values) -> Values:
    """Return how far values lie outside of the range that the others have around the same place."""
    window = np.ones((_SHIFT, _SHIFT), np.uint8)
    low, high = cv2.erode(others, window), cv2.dilate(others, window)
    return np.asarray(np.maximum(np.maximum(low - values, values - high), 0), np.float32)


def _boxes(mask: Mask, least: float) -> list[Box]:
    window = np.ones((_JOINED, _JOINED), np.uint8)
    joined = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, window)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    areas = np.bincount(labels[mask], minlength=count)
    order = sorted(range(1, count), key=lambda number: -int(areas[number]))
    found: list[Box] = []
    for number in order:
        if areas[number] < least:
            break
        left, top, width, height = (int(value) for value in statistics[number, :4])
        _merge(found, (left, top, left + width, top + height))
    return found


def _merge(found: list[Box], box: Box) -> None:
    """Add a box, joined with those that it overlaps."""
    left, top, right, bottom = box
    for other in [one for one in found if one[0] < right and left < one[2] and one[1] < bottom and top < one[3]]:
        found.remove(other)
        left, top = min(left, other[0]), min(top, other[1])
        right, bottom = max(right, other[2]), max(bottom, other[3])
    found.append((left, top, right, bottom))
