"""Read sizes from the headers of TIFF, AVIF and HEIC files, without decoding pixels.

The streams inside these files may say something else, so the numbers are estimates and not limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.images.decode.unusual import tiff_tags

_UNCOMPRESSED = 1
_BYTE = 8
_MAX_PAGES = 256
_META_BYTES = 4_000_000
_CONTAINERS = {b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"av01", b"hvc1"}
_FULL_BOXES = {b"meta": 4, b"stsd": 8, b"av01": 78, b"hvc1": 78}
"""Bytes before the first inner box."""


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """The first picture of a TIFF. ``unit_bytes``: of one decoded strip or tile. ``values``: entries of its arrays.

    ``needs_libtiff``: Pillow's own decoder would read the pixels wrongly.
    """

    width: int
    height: int
    bits: int
    samples: int
    unit_bytes: int
    is_compressed: bool
    needs_libtiff: bool
    values: int


@dataclass(frozen=True, slots=True)
class HeifHeader:
    """The largest picture of an AVIF or HEIC. ``planes``: bytes a pixel of luma, chroma and alpha."""

    width: int
    height: int
    planes: float
    has_alpha: bool
    is_deep: bool
    is_grid: bool


def tiff_header(data: bytes) -> TiffHeader | None:
    """Return the header of the first picture, or None."""
    directory = next(tiff_tags.directories(data), None)
    return _tiff_header(directory) if directory else None


def tiff_pages(data: bytes) -> dict[int, TiffHeader]:
    """Return the headers of the first pages by their number, without thumbnails and smaller copies.

    The first picture is always a page.
    """
    pages = {}
    for number, directory in enumerate(tiff_tags.directories(data, _MAX_PAGES)):
        header = _tiff_header(directory) if number == 0 or directory.is_page else None
        if header:
            pages[number] = header
    return pages


def _tiff_header(directory: tiff_tags.Directory) -> TiffHeader | None:
    tags = directory.tags
    if tiff_tags.WIDTH not in tags or tiff_tags.HEIGHT not in tags:
        return None
    width, height = directory.first(tiff_tags.WIDTH, 0), directory.first(tiff_tags.HEIGHT, 0)
    bits, samples = max(tags.get(tiff_tags.BITS, (1,))), directory.first(tiff_tags.SAMPLES, 1)
    across, down = width, min(directory.first(tiff_tags.ROWS_PER_STRIP, height) or height, height)
    if tiff_tags.TILE_WIDTH in tags:
        across, down = directory.first(tiff_tags.TILE_WIDTH, 0), directory.first(tiff_tags.TILE_LENGTH, 1)
    is_planar = directory.first(tiff_tags.PLANES, 1) == tiff_tags.SEPARATE
    unit = -(-across * bits * (1 if is_planar else samples) // 8) * down
    is_compressed = directory.first(tiff_tags.COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
    # Pillow reads the rows of such planes as if they had 8 bits, so libtiff does.
    needs_libtiff = is_planar and not is_compressed and (bits != _BYTE or samples == 1)
    return TiffHeader(width, height, bits, samples, unit, is_compressed, needs_libtiff, directory.values)


def heif_header(data: bytes) -> HeifHeader | None:
    """Return the header of the largest picture in the file, or None."""
    width = height = 0
    depth, chroma, alpha = 8, 1.5, False
    for name, body in _boxes(data, 0, min(len(data), _META_BYTES)):
        if name == b"ispe" and len(body) >= 12:
            across, down = int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
            if across * down > width * height:
                width, height = across, down
        elif name == b"av01" and len(body) >= 28:
            across, down = int.from_bytes(body[24:26], "big"), int.from_bytes(body[26:28], "big")
            if across * down > width * height:
                width, height = across, down
        elif name == b"av1C" and len(body) >= 3:
            depth = max(depth, 10 if body[2] & 0x40 else 8)
            chroma = max(chroma, 1.0 if body[2] & 0x10 else (3.0, 2.0, 2.0, 1.5)[body[2] >> 2 & 3])
        elif name == b"hvcC" and len(body) >= 19:
            depth = max(depth, 8 + (body[17] & 7))
            chroma = max(chroma, (1.0, 1.5, 2.0, 3.0)[body[16] & 3])
        elif name == b"auxC" and any(mark in bytes(body[:100]) for mark in (b"alpha", b"auxid:1")):
            alpha = True
    if not width or not height:
        return None
    planes = (chroma + alpha) * (2 if depth > 8 else 1)
    is_grid = b"grid" in data[: min(len(data), 100_000)]
    return HeifHeader(width, height, planes, alpha, depth > 8, is_grid)


def _boxes(data: bytes, at: int, end: int, level: int = 0) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and content of the boxes of an ISO media file, inner ones included."""
    for _ in range(10_000):
        if at + 8 > end:
            return
        length, name, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif length == 0:
            length = end - at
        if length < head:
            return
        stop = min(at + length, end)
        yield name, memoryview(data)[at + head : min(stop, at + head + 1024)]
        if name in _CONTAINERS and level < 10:
            yield from _boxes(data, at + head + _FULL_BOXES.get(name, 0), stop, level + 1)
        at += length
