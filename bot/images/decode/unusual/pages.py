"""Pages of a TIFF: lay them out on one sheet, so that scans with the same cover are different pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image

from bot.images.decode.unusual.detail import shows_nothing
from bot.images.decode.unusual.transparency import WHITE, flatten, ground_for

MAX_PAGES = 64
"""Pages on a sheet. Of longer documents, the file's own bytes tell the rest apart."""

_MAX_PICTURES = 3
"""Most pixels of all pages together, in multiples of the limit for one."""

_Size = tuple[int, int]


class SizedPage(Protocol):
    """A page's size in pixels."""

    @property
    def width(self) -> int:
        """Width in pixels."""
        ...

    @property
    def height(self) -> int:
        """Height in pixels."""
        ...


@dataclass(slots=True, eq=False)
class Sheet:
    """A white sheet on which pages are laid out in rows.

    ``count``: the number of pages. ``page``: the size of the first one. ``side``: the longer side of the sheet at most.
    """

    count: int
    page: _Size
    side: int
    image: Image.Image = field(init=False)
    _cell: _Size = field(init=False)
    _columns: int = field(init=False)

    def __post_init__(self) -> None:
        """Choose the number of columns that makes the pages largest."""
        width, height = self.page

        def scale(columns: int) -> float:
            rows = -(-self.count // columns)
            return min(1.0, self.side / (columns * width), self.side / (rows * height))

        def longer_side(columns: int) -> int:
            return max(columns * width, -(-self.count // columns) * height)

        self._columns = max(range(1, self.count + 1), key=lambda columns: (scale(columns), -longer_side(columns)))
        best, rows = scale(self._columns), -(-self.count // self._columns)
        self._cell = max(1, int(width * best)), max(1, int(height * best))
        self.image = Image.new("RGB", (self._cell[0] * self._columns, self._cell[1] * rows), "white")

    def put(self, number: int, page: Image.Image) -> None:
        """Place a page, RGB and opaque, in the middle of its cell."""
        small = page.copy()
        small.thumbnail(self._cell, Image.Resampling.BOX, reducing_gap=None)
        across, down = self._cell
        left = number % self._columns * across + (across - small.width) // 2
        top = number // self._columns * down + (down - small.height) // 2
        self.image.paste(small, (left, top))


@dataclass(slots=True, eq=False)
class LaidOut:
    """Pages on sheets, one for each size. ``first`` is the number of the first page that shows something.

    ``read`` and ``shown``: how many pages were decoded, and how many of them show something. ``is_rgb``: all of these
    are RGB.
    """

    sheets: list[Image.Image]
    first: int
    read: int = 0
    shown: int = 0
    is_rgb: bool = True
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, page: Image.Image) -> None:
        """Count a page that shows something, and add it to the digest."""
        self.shown += 1
        self.is_rgb = self.is_rgb and page.mode in {"RGB", "RGBA"}
        self._digest.update(f"{page.mode} {page.size}".encode())
        self._digest.update(page.tobytes())

    def digest(self, data: bytes, *, is_whole: bool) -> str:
        """Return a digest of the pages; of the file's bytes too, unless all pages were decoded."""
        if not is_whole:
            self._digest.update(data)
        return self._digest.hexdigest()


def lay_out(numbers: Sequence[int], sides: Sequence[int], read: Callable[[int], list[Image.Image]]) -> LaidOut:
    """Lay pages out on a sheet for each of the sides in pixels. ``read`` decodes a page and reduces it for each.

    Later pages that can't be decoded stay blank.
    """
    result = LaidOut([], numbers[0])
    sheets: list[Sheet] = []
    for place, number in enumerate(numbers):
        try:
            reduced = read(number)
        except Exception:
            if not place:
                raise
            continue
        sheets = sheets or [Sheet(len(numbers), page.size, side) for page, side in zip(reduced, sides, strict=True)]
        result.read += 1
        if shows_nothing(reduced[0]):
            continue
        if not result.shown:
            result.first = number
        result.add(reduced[0])
        for page, sheet in zip(reduced, sheets, strict=True):
            sheet.put(place, _opaque(page))
    result.sheets = [sheet.image for sheet in sheets]
    return result


def chosen(sizes: Mapping[int, SizedPage], max_pixels: int) -> list[int]:
    """Return the numbers of the pages to lay out: the first ones that fit the limits, and always the first."""
    numbers: list[int] = []
    pixels = 0
    for number, page in sizes.items():
        own = page.width * page.height
        pixels += own
        if numbers and (own > max_pixels or pixels > _MAX_PICTURES * max_pixels or len(numbers) == MAX_PAGES):
            break
        numbers.append(number)
    return numbers


def _opaque(image: Image.Image) -> Image.Image:
    """Return a page with 8 bits a channel as RGB, on a ground on which it can be seen."""
    ground = ground_for(image) if image.mode in {"RGBA", "LA"} else WHITE
    return flatten(image, ground).convert("RGB")
