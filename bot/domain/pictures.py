"""Verified pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Picture:
    """A picture that ``images.decode.normaliser`` verified: upright, sRGB, stripped of metadata.

    ``pixels`` is height × width × 3, uint8, at most 1023 a side. ``source_digest`` is the SHA-256 (hex)
    of the bytes as received, ``digest`` that of the pixels: two files that look the same share it.
    """

    pixels: npt.NDArray[np.uint8]
    digest: str
    source_digest: str
    source_format: str
    source_size: tuple[int, int]

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])
