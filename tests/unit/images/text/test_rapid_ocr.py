"""The reader of texts: one real picture, and installations without it."""

from __future__ import annotations

import logging
import sys
import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bot.images.text import rapid_ocr
from bot.images.text.rapid_ocr import RapidTextReader, open_text_reader
from bot.images.text.reader import NullTextReader
from tests.fakes.features import picture_of

LINES = ("Überdruck für Öl", "Réf. VLV-0042/A", "12.345-B 500 ml")


def drawn() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a nameplate: Latin with accents, part numbers, and ideographs drawn of straight strokes."""
    plate = Image.new("RGB", (560, 360), "#d8d8d0")
    draw = ImageDraw.Draw(plate)
    for number, line in enumerate(LINES):
        _draw_line(draw, 24, 20 + 72 * number, line)
    _draw_ideographs(draw, 40, 250, 72)
    return np.asarray(plate)


def _draw_line(draw: ImageDraw.ImageDraw, left: int, top: int, line: str) -> None:
    """Draw a line of text. Pillow's font has no accents, so they are drawn above the letters."""
    font = ImageFont.load_default(44)
    plain = "".join(unicodedata.normalize("NFD", letter)[0] for letter in line)
    draw.text((left, top), plain, "black", font)
    for place, letter in enumerate(line):
        if letter == plain[place]:
            continue
        middle = left + (draw.textlength(plain[:place], font) + draw.textlength(plain[: place + 1], font)) / 2
        y = top + draw.textbbox((0, 0), plain[place], font)[1] - 6
        if unicodedata.normalize("NFD", letter)[1] == "\u0301":
            draw.line((middle - 3, y, middle + 5, y - 8), "black", 4)
        else:
            for x in (middle - 7, middle + 7):
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), "black")


def _draw_ideographs(draw: ImageDraw.ImageDraw, left: int, top: int, side: int) -> None:
    """Draw 中山田王."""
    strokes = (
        ((10, 25, 90, 25), (10, 25, 10, 65), (90, 25, 90, 65), (10, 65, 90, 65), (50, 5, 50, 97)),
        ((50, 5, 50, 90), (12, 40, 12, 90), (88, 40, 88, 90), (12, 90, 88, 90)),
        ((12, 12, 88, 12), (12, 12, 12, 92), (88, 12, 88, 92), (12, 92, 88, 92), (12, 52, 88, 52), (50, 12, 50, 92)),
        ((12, 12, 88, 12), (18, 50, 82, 50), (6, 92, 94, 92), (50, 12, 50, 92)),
    )
    for number, lines in enumerate(strokes):
        x, scale = left + number * (side + 12), side / 100
        for x1, y1, x2, y2 in lines:
            points = (x + x1 * scale, top + y1 * scale, x + x2 * scale, top + y2 * scale)
            draw.line(points, "black", max(5, side // 11))


async def test_nameplate_is_read_without_network_or_noise(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from rapidocr.utils.download_file import DownloadFile  # noqa: PLC0415 - loads the library

    def refuse(*_: object) -> None:
        raise AssertionError("it downloads a model")

    monkeypatch.setattr(DownloadFile, "run", refuse)
    reader = RapidTextReader()
    with caplog.at_level(logging.DEBUG):
        text = await reader.read(picture_of(drawn()))
        blank = await reader.read(picture_of(np.full((24, 900, 3), 200, np.uint8)))
    await reader.close()
    lines = [line.text for line in text.lines]
    assert lines[:3] == list(LINES)
    assert lines[3:] == ["中山田王"]
    assert blank.lines == ()
    first = text.lines[0].box
    assert 0 <= first.left < 0.1
    assert 0 <= first.top < 0.1
    assert 0.3 < first.width < 1
    assert capfd.readouterr().err == ""
    assert not [record for record in caplog.records if record.name == "RapidOCR"]


def test_nothing_is_read_if_it_is_off_or_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_text_reader(enabled=False), NullTextReader)
    monkeypatch.setattr(rapid_ocr, "_LIBRARY", "not_installed_here")
    assert isinstance(open_text_reader(enabled=True), NullTextReader)
    assert "not_installed_here" not in sys.modules
