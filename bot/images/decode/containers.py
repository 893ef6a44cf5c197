"""Read sizes from the headers of TIFF, AVIF and HEIC files, without decoding pixels.

The streams inside these files may say something else, so the numbers are estimates and not limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}
"""Bytes of the integer types of TIFF fields."""

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS_PER_STRIP, _PLANES = 256, 257, 258, 259, 277, 278, 284
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_UNCOMPRESSED = 1
_MAX_FIELDS = 4096
_META_BYTES = 4_000_000
_CONTAINERS = {b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"av01", b"hvc1"}
_FULL_BOXES = {b"meta": 4, b"stsd": 8, b"av01": 78, b"hvc1": 78}
"""Bytes before the first inner box."""


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """The first picture of a TIFF. ``unit_bytes``: of one decoded strip or tile. ``values``: entries of its arrays."""

    width: int
    height: int
    bits: int
    samples: int
    unit_bytes: int
    is_compressed: bool
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
    order = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    big = number(2, 2) == 43
    start = number(8, 8) if big else number(4, 4)
    count_size, entry, inline = (8, 20, 8) if big else (2, 12, 4)
    tags: dict[int, tuple[int, ...]] = {}
    values = 0
    for index in range(min(number(start, count_size), _MAX_FIELDS)):
        at = start + count_size + entry * index
        if at + entry > len(data):
            break
        tag, kind, length = number(at, 2), number(at + 2, 2), number(at + 4, inline)
        values += length
        size = _SIZES.get(kind)
        if size and tag in {*range(_WIDTH, _COMPRESSION + 1), *range(_SAMPLES, _PLANES + 1), _TILE_WIDTH, _TILE_LENGTH}:
            where = at + 4 + inline
            first = where if size * length <= inline else number(where, inline)
            tags[tag] = tuple(number(first + size * n, size) for n in range(min(length, 8)))
    if _WIDTH not in tags or _HEIGHT not in tags:
        return None
    return _tiff_header({tag: found for tag, found in tags.items() if found}, values)


def _tiff_header(tags: dict[int, tuple[int, ...]], values: int) -> TiffHeader | None:
    width, height = tags.get(_WIDTH, (0,))[0], tags.get(_HEIGHT, (0,))[0]
    bits, samples = max(tags.get(_BITS, (1,))), tags.get(_SAMPLES, (1,))[0]
    across, down = width, min(tags.get(_ROWS_PER_STRIP, (height,))[0] or height, height)
    if _TILE_WIDTH in tags:
        across, down = tags[_TILE_WIDTH][0], tags.get(_TILE_LENGTH, (1,))[0]
    in_unit = 1 if tags.get(_PLANES, (1,))[0] == 2 else samples
    unit = -(-across * bits * in_unit // 8) * down
    is_compressed = tags.get(_COMPRESSION, (_UNCOMPRESSED,))[0] != _UNCOMPRESSED
    return TiffHeader(width, height, bits, samples, unit, is_compressed, values)


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
