"""PDQ: a 256-bit perceptual hash that survives recompression, resizing and mild edits.

After Meta's description, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019): luminance,
two box filters, 64 × 64 samples, the low 16 × 16 frequencies of their cosine transform, each against the median.
Unrelated pictures are 128 bits apart on average; copies within about 31.
"""

from __future__ import annotations

from functools import cache
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import numpy.typing as npt

from bot.domain.pictures import Picture

BYTES = 32
BITS = 256
MIN_QUALITY = 30
"""Below this a picture has too little structure for its hash to mean anything (0 to 100)."""

_SAMPLES = 64
_FREQUENCIES = 16
_MAX_SIDE = 512

Pixels = npt.NDArray[np.uint8]
Spectrum = npt.NDArray[np.float32]


def luminance(pixels: Pixels) -> Pixels:
    """Height × width, uint8, long side at most 512: what fingerprint and sketch are made of."""
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = gray.shape
    scale = _MAX_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # Above a half, four neighbours are all that there is to average, and averaging fractions of them is slow.
        how = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA  # noqa: PLR2004
        gray = np.asarray(cv2.resize(gray, size, interpolation=how), np.uint8)
    return gray


def compute(picture: Picture) -> bytes:
    """The picture's hash, empty if it has too little detail; worked out once for each picture, whoever asks."""
    mark = _cache.get(picture)
    if mark is None:
        mark = _cache[picture] = pdq(picture.pixels)[0]
    return mark


def cached(picture: Picture) -> bytes | None:
    """What ``compute`` worked out before, if it did: costs nothing."""
    return _cache.get(picture)


_cache: WeakKeyDictionary[Picture, bytes] = WeakKeyDictionary()


def pdq(pixels: Pixels) -> tuple[bytes, int]:
    """The hash of an RGB picture (empty if it has too little detail), and its quality from 0 to 100."""
    return pdq_of_luminance(luminance(pixels))


def pdq_of_luminance(gray: Pixels) -> tuple[bytes, int]:
    """The same, of what ``luminance`` gave."""
    samples = _samples(gray)[0]
    quality = _quality(samples)
    return (_bits(_spectrum(samples)) if quality >= MIN_QUALITY else b""), quality


def orientations(gray: Pixels) -> npt.NDArray[np.uint8]:
    """Hashes of the picture turned and mirrored in all eight ways (8 × 32), the picture itself first.

    Rows 0 to 3: as it is, mirrored left to right, upside down, turned by 180°; rows 4 to 7 the same of the
    transposed picture. No rows if it has too little detail. All are read from one filtered picture.
    """
    samples = _samples(gray)
    if _quality(samples[0]) < MIN_QUALITY:
        return np.empty((0, BYTES), np.uint8)
    plain, mirrored, upside_down, half_turned = (_spectrum(view) for view in samples)
    transposed = (plain.T, upside_down.T, mirrored.T, half_turned.T)
    turned = (plain, mirrored, upside_down, half_turned, *transposed)
    return np.frombuffer(b"".join(_bits(view) for view in turned), np.uint8).reshape(-1, BYTES)


ORIENTATION_MATRICES: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = (
    ((1, 0), (0, 1)),
    ((-1, 0), (0, 1)),
    ((1, 0), (0, -1)),
    ((-1, 0), (0, -1)),
    ((0, 1), (1, 0)),
    ((0, -1), (1, 0)),
    ((0, 1), (-1, 0)),
    ((0, -1), (-1, 0)),
)
"""What each row of ``orientations`` did to the picture, as a turn of (x, y) about its centre."""


def _samples(gray: Pixels) -> tuple[Spectrum, Spectrum, Spectrum, Spectrum]:
    """64 × 64 of the filtered picture: as it is, mirrored left to right, upside down, turned by 180°."""
    smooth = gray.astype(np.float32)
    height, width = gray.shape
    for _ in range(2):
        smooth = _box_filter(smooth, _window(height), _window(width))
    (rows, rows_back), (columns, columns_back) = _places(height), _places(width)
    plain, upside_down = smooth[rows], smooth[rows_back]
    return plain[:, columns], plain[:, columns_back], upside_down[:, columns], upside_down[:, columns_back]


def _places(length: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where the samples lie, and where in this picture its mirror image's samples lie."""
    there = ((np.arange(_SAMPLES) + 0.5) * length / _SAMPLES).astype(np.intp)
    # A window of even length looks one pixel farther ahead than back, and does so twice.
    ahead = 0 if _window(length) % 2 else 2
    return there, np.maximum(length - 1 - there - ahead, 0)


def _spectrum(samples: Spectrum) -> Spectrum:
    transform = _cosines()
    return np.asarray(transform @ samples @ transform.T, np.float32)


def _window(length: int) -> int:
    return (length + 2 * _SAMPLES - 1) // (2 * _SAMPLES)


def _box_filter(image: Spectrum, down: int, across: int) -> Spectrum:
    """Mean over a window that shrinks at the edges."""
    anchor = (across - (across + 2) // 2, down - (down + 2) // 2)

    def summed(values: Spectrum) -> Spectrum:
        total = cv2.boxFilter(
            values, -1, (across, down), anchor=anchor, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(total, np.float32)

    return summed(image) / summed(np.ones_like(image))


def _quality(samples: Spectrum) -> int:
    """Sum of the steps between neighbouring samples, in the scale of the paper."""
    steps = (np.abs(np.diff(samples, axis=axis)) * 100 / 255 for axis in (0, 1))
    return min(100, int(sum(float(step.astype(np.int32).sum()) for step in steps) / 90))


def _bits(spectrum: Spectrum) -> bytes:
    """One bit a frequency, the highest first, as published hashes have them."""
    flat = spectrum.ravel()[::-1]
    median = np.partition(flat, BITS // 2 - 1)[BITS // 2 - 1]
    return np.packbits(flat > median).tobytes()


@cache
def _cosines() -> Spectrum:
    frequency = np.arange(1, _FREQUENCIES + 1)[:, None]
    position = 2 * np.arange(_SAMPLES)[None, :] + 1
    matrix = np.sqrt(2 / _SAMPLES) * np.cos(np.pi / (2 * _SAMPLES) * frequency * position)
    return np.asarray(matrix, np.float32)
