"""Decoded pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Picture:
    """A picture decoded by ``bot.images.decode.normaliser``: upright, sRGB, without metadata.

    ``pixels`` has shape (height, width, 3), dtype uint8 and at most 1023 pixels a side. ``source_digest`` is the
    SHA-256 (hex) of the file as received. ``digest`` is that of the pixels, so files with equal pixels share it.
    ``is_preview``: the file itself can't be read; this is a smaller copy or a preview of it.
    """

    pixels: npt.NDArray[np.uint8]
    digest: str
    source_digest: str
    source_format: str
    source_size: tuple[int, int]
    is_preview: bool = False

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])
