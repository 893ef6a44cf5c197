"""What a comparison of two pictures shows, as values: how the asked picture was made from the stored one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class ComparisonKind(Enum):
    """How far two pictures agree when one is laid over the other."""

    COPY = auto()
    """Their pixels agree, so what differs can be marked."""
    RECOLOURED = auto()
    """The drawing agrees, but lies on a ground of another colour."""
    OTHER_PHOTO = auto()
    """Only points agree: another photo of the same thing, which differs a little everywhere."""


class Tone(Enum):
    """How the colours of the asked picture differ from those of the stored one."""

    SAME = auto()
    GRAY = auto()
    """It is black and white, and the stored one is not."""
    COLOURED = auto()
    """It has colours, and the stored one is black and white."""
    INVERTED = auto()
    BRIGHTER = auto()
    DARKER = auto()
    OTHER = auto()
    """Its colours are others."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Shares of a picture's width or height at its four sides, from 0 to 1."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


@dataclass(frozen=True, slots=True)
class ComparisonFacts:
    """How the asked picture was made from the stored one.

    ``cut``: what of the stored picture is missing at each side; all 0 if the picture is tilted or seen at an angle, for
    which ``hidden``, the missing share of the area, stands. ``added``: what the asked picture has beyond the stored one
    at each of its own sides, and ``beyond`` the share of its area. ``turned``: degrees clockwise, from −180 to 180,
    after it was ``mirrored`` left to right. ``scale``: its size as a multiple of the stored one's, or None if unknown.
    ``stretched``: its proportions are others. ``oblique``: it is seen at an angle. ``changes``: the places that differ,
    and ``is_changed_everywhere`` if they take most of the picture.
    """

    kind: ComparisonKind
    cut: Sides = Sides()
    hidden: float = 0.0
    added: Sides = Sides()
    beyond: float = 0.0
    mirrored: bool = False
    turned: float = 0.0
    scale: float | None = None
    stretched: bool = False
    oblique: bool = False
    tone: Tone = Tone.SAME
    changes: int = 0
    is_changed_everywhere: bool = False
