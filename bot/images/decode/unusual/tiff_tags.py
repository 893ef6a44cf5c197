"""Read the directories of a TIFF, which describe its pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
SAMPLES, ROWS_PER_STRIP, PLANES, TILE_WIDTH, TILE_LENGTH, SAMPLE_FORMAT = 277, 278, 284, 322, 323, 339

SEPARATE = 2
"""PLANES: each channel lies apart from the others."""

_WANTED = frozenset(
    {
        *(SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS_PER_STRIP),
        *(PLANES, TILE_WIDTH, TILE_LENGTH, SAMPLE_FORMAT),
    }
)
_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}
"""Bytes of the integer types of TIFF fields."""

_MAX_FIELDS = 4096
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2


@dataclass(frozen=True, slots=True)
class Directory:
    """The first values of the fields of one page.

    ``values``: how many values all of its fields have. ``is_complete``: none of the fields is cut off.
    """

    tags: dict[int, tuple[int, ...]]
    values: int
    is_complete: bool = True

    def first(self, tag: int, default: int) -> int:
        """Return the first value of a field."""
        return self.tags.get(tag, (default,))[0]

    @property
    def is_page(self) -> bool:
        """Whether this is a page, and no thumbnail, smaller copy or mask of one."""
        flags = self.first(SUBFILE, 0)
        return not flags & (_REDUCED | _MASK) and self.first(OLD_SUBFILE, 0) != _OLD_REDUCED


def directories(data: bytes, most: int = 1) -> Iterator[Directory]:
    """Yield the first directories of a TIFF."""
    order = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    big = number(2, 2) == 43  # noqa: PLR2004 - BigTIFF
    start = number(8, 8) if big else number(4, 4)
    count_size, entry, inline = (8, 20, 8) if big else (2, 12, 4)
    seen: set[int] = set()
    while 0 < start < len(data) and start not in seen and len(seen) < most:
        seen.add(start)
        count = number(start, count_size)
        tags: dict[int, tuple[int, ...]] = {}
        values = 0
        for index in range(min(count, _MAX_FIELDS)):
            at = start + count_size + entry * index
            if at + entry > len(data):
                break
            tag, kind, length = number(at, 2), number(at + 2, 2), number(at + 4, inline)
            values += length
            size = _SIZES.get(kind)
            if size and length and tag in _WANTED:
                where = at + 4 + inline
                first = where if size * length <= inline else number(where, inline)
                tags[tag] = tuple(number(first + size * n, size) for n in range(min(length, 8)))
        yield Directory(tags, values, start + count_size + entry * count <= len(data))
        start = number(start + count_size + entry * count, inline)
