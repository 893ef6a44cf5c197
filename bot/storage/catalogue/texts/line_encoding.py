"""Conversion of the text in a picture to the column that stores it, and back."""

from __future__ import annotations

import json

from bot.domain.matches import PictureRegion
from bot.domain.texts import PictureText, TextLine


def encode(text: PictureText) -> str:
    """Return the lines as JSON; an empty string for a picture without text."""
    rows = [
        [line.text, line.confidence, line.box.left, line.box.top, line.box.width, line.box.height]
        for line in text.lines
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")) if rows else ""


def decode(stored: str) -> PictureText:
    """Return the text of a row."""
    rows = json.loads(stored) if stored else []
    return PictureText(tuple(TextLine(row[0], row[1], PictureRegion(*row[2:6])) for row in rows))
