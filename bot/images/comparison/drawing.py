"""Draws the comparison picture: both pictures side by side on one ground, with what they share and what differs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bot.domain.comparison import ComparisonKind
from bot.images.comparison.alignment import PictureAlignment, outline
from bot.images.comparison.changes import Box, Changes, find_changes
from bot.images.features.comparison.structure import Mask
from bot.images.features.local_features import Pixels
from bot.images.features.warping import Matrix, to_pixels, warp

Colour = tuple[int, int, int]

QUALITY = 85
PANEL_SIDE = 600
"""Longest side of each picture, in pixels. Slack shows both about 250 pixels wide, on dense screens with twice that."""

STACKED = 1.9
"""Quotient of width and height from which one picture stands above the other: side by side they would be narrow."""

ASKED_LABEL, STORED_LABEL = "Asked about", "Stored, laid over it"
SHARED_LABEL, CHANGED_LABEL, MISSING_LABEL = "in both", "differs", "not in this one"

_MARGIN, _GAP = 20, 24
_MAX_FONT, _MIN_FONT, _LINE_HEIGHT = 46, 22, 1.6
_MAX_SPREAD = 1.0
"""How far the ground reaches beyond what both share, in its widths and heights."""
_LINE = 7
_SHARED, _CHANGED, _INK = (30, 160, 90), (224, 30, 90), (29, 28, 29)
_HATCH, _HATCH_LINE, _HATCH_STEP, _HATCH_WIDTH = (240, 240, 242), (190, 190, 198), 20, 4
_WHOLE = 0.97
"""Share of the ground that a picture covers if it has no gaps but at its rim."""
_INFLATED = 7
"""Pixels between a place that differs and its frame."""


@dataclass(frozen=True, slots=True, eq=False)
class _Panels:
    """Both pictures on one ground, where each of them is, and what both share."""

    asked: Pixels
    stored: Pixels
    has_asked: Mask
    has_stored: Mask

    @property
    def shared(self) -> Mask:
        return self.has_asked & self.has_stored


def draw(asked: Pixels, stored: Pixels, alignment: PictureAlignment) -> tuple[bytes, Changes]:
    """Return the comparison as a JPEG, and what differs. Pure CPU work."""
    panels = _panels(asked, stored, alignment)
    changes = (
        find_changes(panels.asked, panels.stored, panels.shared, inverted=alignment.inverted)
        if alignment.kind is ComparisonKind.COPY
        else Changes()
    )
    sides = [(ASKED_LABEL, panels.asked, panels.has_asked), (STORED_LABEL, panels.stored, panels.has_stored)]
    shown = [(label, _decorated(pixels, there, panels.shared, changes)) for label, pixels, there in sides]
    has_gaps = min(panels.has_asked.mean(), panels.has_stored.mean()) < _WHOLE
    return _encoded(_sheet(shown, _legend(changes, has_gaps=has_gaps))), changes


def _panels(asked: Pixels, stored: Pixels, alignment: PictureAlignment) -> _Panels:
    """Return both pictures as the asked one is seen."""
    to_asked = alignment.inverse
    left, top, right, bottom = _ground(asked, stored, to_asked)
    scale = PANEL_SIDE / max(right - left, bottom - top)
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    on_ground = np.array(((scale, 0, -left * scale), (0, scale, -top * scale), (0, 0, 1)), np.float64)
    ours, has_ours = _placed(asked, on_ground, size)
    theirs, has_theirs = _placed(stored, on_ground @ to_asked, size)
    return _Panels(ours, theirs, has_ours, has_theirs)


def _ground(asked: Pixels, stored: Pixels, to_asked: Matrix) -> tuple[float, float, float, float]:
    """Return the rectangle that is shown, in units of the asked picture: both pictures, but not too far apart."""
    height, width = asked.shape[:2]
    across, down = width / max(width, height), height / max(width, height)
    corners = outline(to_asked, stored.shape[1], stored.shape[0])
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    common = max(0.0, x0), max(0.0, y0), min(across, x1), min(down, y1)
    spread = _MAX_SPREAD * max(common[2] - common[0], 0.05), _MAX_SPREAD * max(common[3] - common[1], 0.05)
    return (
        max(min(0.0, x0), common[0] - spread[0]),
        max(min(0.0, y0), common[1] - spread[1]),
        min(max(across, x1), common[2] + spread[0]),
        min(max(down, y1), common[3] + spread[1]),
    )


def _placed(pixels: Pixels, matrix: Matrix, size: tuple[int, int]) -> tuple[Pixels, Mask]:
    """Return a picture transformed by ``matrix`` (from units of its long side), and where it is."""
    height, width = pixels.shape[:2]
    units = width / max(width, height), height / max(width, height)
    # Reduce it first: sampling alone would alias.
    largest = float(np.abs(np.linalg.svd(matrix[:2, :2], compute_uv=False)).max())
    if largest < 0.75 * max(width, height):
        reduced = max(1, round(largest * units[0])), max(1, round(largest * units[1]))
        pixels = np.asarray(cv2.resize(pixels, reduced, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = pixels.shape[:2]
    source = to_pixels(*units, width, height)
    placed = np.array(((1, 0, -0.5), (0, 1, -0.5), (0, 0, 1)), np.float64) @ matrix
    return warp(pixels, source @ np.linalg.inv(placed), size)


def _decorated(pixels: Pixels, there: Mask, shared: Mask, changes: Changes) -> Image.Image:
    """Return a picture on the hatched ground, with the outline of what both share and frames around what differs."""
    height, width = there.shape
    shown = np.where(there[:, :, None], pixels, _hatching(width, height))
    contours, _ = cv2.findContours(
        np.pad(shared[2:-2, 2:-2], 2).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    shown = np.ascontiguousarray(shown)
    for colour, line in ((255, 255, 255), _LINE + 4), (_SHARED, _LINE):
        cv2.drawContours(shown, contours, -1, colour, line, cv2.LINE_AA)
    for box in changes.boxes:
        _frame(shown, box)
    return Image.fromarray(shown)


def _frame(shown: Pixels, box: Box) -> None:
    height, width = shown.shape[:2]
    first = max(_LINE, box[0] - _INFLATED), max(_LINE, box[1] - _INFLATED)
    second = min(width - 1 - _LINE, box[2] + _INFLATED), min(height - 1 - _LINE, box[3] + _INFLATED)
    for colour, line in ((255, 255, 255), _LINE + 4), (_CHANGED, _LINE):
        cv2.rectangle(shown, first, second, colour, line, cv2.LINE_AA)


def _legend(changes: Changes, *, has_gaps: bool) -> list[tuple[str, Colour | None]]:
    """Return what is explained below the pictures: a name and the colour of its frame, or None for the hatching."""
    entries: list[tuple[str, Colour | None]] = [(SHARED_LABEL, _SHARED)]
    if changes.boxes:
        entries.append((CHANGED_LABEL, _CHANGED))
    return [*entries, (MISSING_LABEL, None)] if has_gaps else entries


def _sheet(panels: list[tuple[str, Image.Image]], legend: list[tuple[str, Colour | None]]) -> Image.Image:
    """Return the panels with their labels next to each other, or above each other if they are wide."""
    width, height = panels[0][1].size
    stacked = width > STACKED * height
    across, down = (1, 2) if stacked else (2, 1)
    whole = 2 * _MARGIN + across * width + (across - 1) * _GAP
    font = _font([label for label, _ in panels], width, [name for name, _ in legend], whole - 2 * _MARGIN)
    line = round(_LINE_HEIGHT * font.size)
    size = whole, _MARGIN + down * (height + line) + (down - 1) * _GAP + line + _MARGIN // 2
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for number, (label, image) in enumerate(panels):
        left = _MARGIN + (0 if stacked else number * (width + _GAP))
        top = _MARGIN + (number * (height + line + _GAP) if stacked else 0)
        pen.text((left, top + line // 2 - _MARGIN // 2), label, fill=_INK, font=font, anchor="lm")
        sheet.paste(image, (left, top + line))
    x, y, mark = float(_MARGIN), size[1] - line // 2 - _MARGIN // 4, font.size
    for name, colour in legend:
        box = (x, y - 0.4 * mark, x + mark, y + 0.4 * mark)
        if colour is None:
            _hatched(sheet, box)
        else:
            pen.rectangle(box, outline=colour, width=_LINE)
        pen.text((x + 1.3 * mark, y), name, fill=_INK, font=font, anchor="lm")
        x += 1.3 * mark + font.getlength(name) + mark
    return sheet


def _font(labels: list[str], width: int, legend: list[str], whole: int) -> ImageFont.FreeTypeFont:
    """Return the largest font with which labels and legend fit. Slack shows the sheet at less than half its size."""
    for size in range(_MAX_FONT, _MIN_FONT, -2):
        font = _sized(size)
        legend_width = sum(font.getlength(name) + 2.3 * size for name in legend)
        if max(map(font.getlength, labels)) <= width and legend_width <= whole:
            return font
    return _sized(_MIN_FONT)


@cache
def _sized(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _hatched(sheet: Image.Image, box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = map(round, box)
    sheet.paste(Image.fromarray(_hatching(right - left, bottom - top)), (left, top))


def _hatching(width: int, height: int) -> Pixels:
    """Return grey stripes, which stand for what a picture doesn't show."""
    ground = np.full((height, width, 3), _HATCH, np.uint8)
    rows, columns = np.indices((height, width))
    ground[(rows + columns) % _HATCH_STEP < _HATCH_WIDTH] = _HATCH_LINE
    return ground


def _encoded(sheet: Image.Image) -> bytes:
    encoded = io.BytesIO()
    sheet.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()
