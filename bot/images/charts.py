"""Draw small charts."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from bot.images.decode.normaliser import JPEG_QUALITY

SIZE = (800, 400)
COLOURS = ("#2eb67d", "#36c5f0", "#e01e5a")
_INK, _LINE = "#1d1c1d", "#dddddd"
_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 64, 24, 52
_TICKS = (1, 2, 5)


def stacked_bars(labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]) -> bytes:
    """Return a JPEG with one bar for each label, in which the series are stacked, and a legend above."""
    image = Image.new("RGB", SIZE, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=24)
    width, height = SIZE[0] - _LEFT - _RIGHT, SIZE[1] - _TOP - _BOTTOM
    floor = _TOP + height
    step, top = _scale(max(map(sum, zip(*(values for _, values in series), strict=True)), default=0))
    for tick in range(0, top + 1, step):
        y = floor - height * tick / top
        draw.line((_LEFT, y, SIZE[0] - _RIGHT, y), fill=_LINE)
        draw.text((_LEFT - 10, y), f"{tick:,}", fill=_INK, font=font, anchor="rm")
    slot = width / max(1, len(labels))
    every = max(1, -(-110 // int(max(1, slot))))
    for place, label in enumerate(labels):
        left, y = _LEFT + slot * place, float(floor)
        for (_, values), colour in zip(series, COLOURS, strict=False):
            upper = y - height * values[place] / top
            if values[place]:
                draw.rectangle((left + slot * 0.15, upper, left + slot * 0.85, y), fill=colour)
            y = upper
        if place % every == 0:
            draw.text((left + slot / 2, floor + 10), label, fill=_INK, font=font, anchor="ma")
    _legend(draw, font, [name for name, _ in series])
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _scale(greatest: int) -> tuple[int, int]:
    """Return the distance of ticks, and the greatest tick."""
    step, power = 1, 1
    while step * 5 < greatest:
        power, factor = (power * 10, _TICKS[0]) if step // power == _TICKS[-1] else (power, _next(step // power))
        step = power * factor
    return step, max(step, step * -(-greatest // step))


def _next(factor: int) -> int:
    return _TICKS[_TICKS.index(factor) + 1]


def _legend(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, names: Sequence[str]
) -> None:
    x = float(_LEFT)
    for name, colour in zip(names, COLOURS, strict=False):
        draw.rectangle((x, 20, x + 20, 40), fill=colour)
        draw.text((x + 28, 30), name, fill=_INK, font=font, anchor="lm")
        x += 28 + draw.textlength(name, font=font) + 32
