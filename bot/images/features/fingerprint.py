"""Fingerprints: PDQ, a 256-bit perceptual hash that survives recompression, resizing and mild edits.

The algorithm follows Meta's paper, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019).
It filters the luminance twice with a box filter, takes 64 × 64 samples and their discrete cosine transform, and
compares each of the lowest 16 × 16 frequencies with their median. Fingerprints of unrelated pictures are 128 bits apart
on average, those of copies at most about 31.
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
"""Least quality, from 0 to 100. Below it, a picture has too little detail for a meaningful hash."""

_SAMPLES = 64
_FREQUENCIES = 16
_MAX_SIDE = 512

Pixels = npt.NDArray[np.uint8]
Spectrum = npt.NDArray[np.float32]


def luminance(pixels: Pixels) -> Pixels:
    """Return the luminance of RGB pixels, height × width, uint8, scaled down to a long side of at most 512.

    Fingerprints and local features are computed from it.
    """
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = gray.shape
    scale = _MAX_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # From one half on, a pixel averages at most four neighbours, which bilinear sampling does faster than area
        # averaging.
        interpolation = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA  # noqa: PLR2004
        gray = np.asarray(cv2.resize(gray, size, interpolation=interpolation), np.uint8)
    return gray


def compute(picture: Picture, gray: Pixels | None = None) -> bytes:
    """Return the picture's 32-byte fingerprint, or empty bytes if it has too little detail. Computed once a picture.

    ``gray``: its ``luminance``, if the caller has it.
    """
    fingerprint = _cache.get(picture)
    if fingerprint is None:
        fingerprint = _cache[picture] = pdq_of_luminance(luminance(picture.pixels) if gray is None else gray)[0]
    return fingerprint


def cached(picture: Picture) -> bytes | None:
    """Return the fingerprint if ``compute`` has already computed it, else None."""
    return _cache.get(picture)


_cache: WeakKeyDictionary[Picture, bytes] = WeakKeyDictionary()


def pdq(pixels: Pixels) -> tuple[bytes, int]:
    """Return the hash of RGB pixels (empty if they have too little detail) and its quality from 0 to 100."""
    return pdq_of_luminance(luminance(pixels))


def pdq_of_luminance(gray: Pixels) -> tuple[bytes, int]:
    """Return hash and quality, like ``pdq``, of a result of ``luminance``."""
    samples = _samples(gray)[0]
    quality = _quality(samples)
    return (_bits(_spectrum(samples)) if quality >= MIN_QUALITY else b""), quality


def orientations(gray: Pixels) -> npt.NDArray[np.uint8]:
    """Return the hashes of the picture in its eight orientations, 8 × 32, uint8. ``gray`` is a result of ``luminance``.

    Rows 0 to 3: unchanged, mirrored left to right, flipped upside down, rotated by 180°. Rows 4 to 7: the same for the
    transposed picture. There are no rows if the picture has too little detail. The filter runs only once for all.
    """
    samples = _samples(gray)
    if _quality(samples[0]) < MIN_QUALITY:
        return np.empty((0, BYTES), np.uint8)
    plain, mirrored, flipped, rotated = (_spectrum(view) for view in samples)
    transposed = (plain.T, flipped.T, mirrored.T, rotated.T)
    spectra = (plain, mirrored, flipped, rotated, *transposed)
    return np.frombuffer(b"".join(_bits(spectrum) for spectrum in spectra), np.uint8).reshape(-1, BYTES)


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
"""For each row of ``orientations``, the matrix that it applied to (x, y) about the picture's centre."""


def _samples(gray: Pixels) -> tuple[Spectrum, Spectrum, Spectrum, Spectrum]:
    """Return 64 × 64 samples of the filtered picture: unchanged, mirrored, flipped upside down, rotated by 180°."""
    height, width = gray.shape
    down, across = _window(height), _window(width)
    counts = np.outer(_counts(height, down), _counts(width, across))
    smooth = _box_filter(_box_filter(gray, down, across) / counts, down, across) / counts
    (rows, rows_back), (columns, columns_back) = _sample_positions(height), _sample_positions(width)
    plain, flipped = smooth[rows], smooth[rows_back]
    return plain[:, columns], plain[:, columns_back], flipped[:, columns], flipped[:, columns_back]


def _sample_positions(length: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the positions of the samples, and the positions in this picture of its mirror image's samples."""
    positions = ((np.arange(_SAMPLES) + 0.5) * length / _SAMPLES).astype(np.intp)
    # A window of even length reaches one pixel farther ahead than back, and it is applied twice.
    ahead = 0 if _window(length) % 2 else 2
    return positions, np.maximum(length - 1 - positions - ahead, 0)


def _spectrum(samples: Spectrum) -> Spectrum:
    transform = _cosines()
    return np.asarray(transform @ samples @ transform.T, np.float32)


def _window(length: int) -> int:
    return (length + 2 * _SAMPLES - 1) // (2 * _SAMPLES)


def _box_filter(image: Pixels | Spectrum, down: int, across: int) -> Spectrum:
    """Return the sum over a window of ``down`` × ``across`` pixels, which is smaller at the edges."""
    anchor = (across - (across + 2) // 2, down - (down + 2) // 2)
    total = cv2.boxFilter(
        image, cv2.CV_32F, (across, down), anchor=anchor, normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(total, np.float32)


def _counts(length: int, window: int) -> npt.NDArray[np.float32]:
    """Return how many pixels of a line the window covers at each place. It is smaller at the ends."""
    first = np.arange(length) - (window - (window + 2) // 2)
    covered = np.minimum(first + window, length) - np.maximum(first, 0)
    return covered.astype(np.float32)


def _quality(samples: Spectrum) -> int:
    """Return the quality from 0 to 100: the sum of differences between neighbouring samples, scaled as in the paper."""
    steps = (np.abs(np.diff(samples, axis=axis)) * 100 / 255 for axis in (0, 1))
    return min(100, int(sum(float(step.astype(np.int32).sum()) for step in steps) / 90))


def _bits(spectrum: Spectrum) -> bytes:
    """Return one bit for each frequency, the highest first, as in published hashes."""
    flat = spectrum.ravel()[::-1]
    median = np.partition(flat, BITS // 2 - 1)[BITS // 2 - 1]
    return np.packbits(flat > median).tobytes()


@cache
def _cosines() -> Spectrum:
    frequency = np.arange(1, _FREQUENCIES + 1)[:, None]
    position = 2 * np.arange(_SAMPLES)[None, :] + 1
    matrix = np.sqrt(2 / _SAMPLES) * np.cos(np.pi / (2 * _SAMPLES) * frequency * position)
    return np.asarray(matrix, np.float32)
