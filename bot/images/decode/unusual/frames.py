"""Animations: choose a frame that shows something, since many begin with a black or an empty one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PIL import Image

from bot.images.decode.unusual import detail

T = TypeVar("T")

_MAX_FRAMES = 200
_MAX_PIXELS = 100_000_000
"""Most frames and pixels that are looked at after the first frame: some seconds of film."""

_ENOUGH = 24.0
"""Standard deviation of grey values from which no better frame is looked for. Photos have 40 to 70."""


def representative(image: Image.Image, first: T, load: Callable[[], T], picture_of: Callable[[T], Image.Image]) -> T:
    """Return the first clear frame after the first one, which shows nothing; the first one if all are like it.

    ``load`` decodes the frame that was sought. The result is the same for the same file on every machine.
    """
    best, most = first, 0.0
    for number in range(1, 1 + min(_MAX_FRAMES, _MAX_PIXELS // max(1, image.width * image.height))):
        try:
            image.seek(number)
            frame = load()
        except Exception:  # noqa: BLE001 - the end, or a later frame is damaged or too large for the memory
            break
        if detail.shows_nothing(picture_of(frame)):
            continue
        shown = detail.detail(picture_of(frame))
        if shown > most:
            best, most = frame, shown
        if shown >= _ENOUGH:
            break
    return best
