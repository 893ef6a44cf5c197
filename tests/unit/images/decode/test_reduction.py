"""Reduction of large pictures, piece by piece."""

from __future__ import annotations

import pytest
from PIL import Image

from bot.images.decode import reduction
from tests.fixtures import pictures


@pytest.mark.parametrize("size", [(1300, 950), (3000, 70), (70, 3000)])
def test_reducing_piece_by_piece_gives_the_same_pixels(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    photo = pictures.photo(*size)
    for mode in ("RGB", "RGBA", "LA", "L", "P", "1", "F", "I;16", "CMYK", "LAB"):
        image = Image.merge("LAB", photo.split()) if mode == "LAB" else pictures.in_mode(photo, mode)
        monkeypatch.setattr(reduction, "_PIECE_PIXELS", 1 << 40)
        whole = reduction.reduce(reduction.pixels_of(image), 200)
        monkeypatch.setattr(reduction, "_PIECE_PIXELS", 10_000)
        pieces = reduction.reduce(reduction.pixels_of(image), 200)
        assert (pieces.mode, pieces.size) == (whole.mode, whole.size), mode
        assert pieces.tobytes() == whole.tobytes(), mode
