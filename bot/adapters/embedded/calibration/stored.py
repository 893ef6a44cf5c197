"""Calibrations as databases store them, and in words. Needs no numpy, so that databases are listed quickly."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.adapters.embedded.ports import CalibrationCurve


@dataclass(frozen=True, slots=True)
class OwnPairs:
    """What a database's own pairs of different ids say. Without a measurement, after a reset, the default applies.

    Attributes:
        images: Number of images when it was measured, or reset.
        sampled: How many of them were compared.
        typical: Lower quartile of the cosines.
        median: Their median.
        top: Cosine to the most alike other id that 1 in 10 images exceed, and that 1 in 100 exceed.
    """

    images: int
    sampled: int = 0
    typical: float = 0.0
    median: float = 0.0
    top: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ManualCurve:
    """A curve that an operator fitted with ``vsearch calibrate``. It is never changed automatically."""

    curve: CalibrationCurve


Calibration = ManualCurve | OwnPairs | None


def parse(text: str | None) -> Calibration:
    """Return a stored calibration: a list of points from an operator, or an object from the database's own pairs."""
    if text is None:
        return None
    stored = json.loads(text)
    if isinstance(stored, dict):
        return OwnPairs(**{**stored, "top": tuple(stored["top"])})
    return ManualCurve(tuple((float(cosine), float(score)) for cosine, score in stored))


def dump(calibration: Calibration) -> str | None:
    """Return a calibration as it is stored."""
    match calibration:
        case None:
            return None
        case ManualCurve(curve):
            return json.dumps(curve)
        case OwnPairs():
            return json.dumps(asdict(calibration))


def describe(text: str | None) -> str:
    """Say in words where the scores of a database with this stored calibration come from."""
    match parse(text):
        case ManualCurve():
            return "fitted by hand"
        case OwnPairs(images=images, sampled=sampled) if sampled:
            return f"fitted to its own pictures at {images:,} images"
        case _:
            return "default"
