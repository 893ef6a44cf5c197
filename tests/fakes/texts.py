"""A recording reader of texts, which knows the text of each picture."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.domain.matches import PictureRegion
from bot.domain.pictures import Picture
from bot.domain.texts import PictureText, TextLine
from bot.images.text.reader import TextUnreadable


def text_of(*lines: str, confidence: float = 0.99) -> PictureText:
    """Return a text with lines one below the other."""
    boxes = [PictureRegion(0.1, 0.1 + number * 0.1, 0.4, 0.06) for number in range(len(lines))]
    return PictureText(tuple(TextLine(line, confidence, box) for line, box in zip(lines, boxes, strict=True)))


class FakeTextReader:
    """Implements ``TextReader`` with texts by digest. Pictures in ``unreadable`` fail."""

    is_available = True

    def __init__(self, texts: Mapping[str, PictureText] | None = None) -> None:
        self.texts = dict(texts or {})
        self.unreadable: set[str] = set()
        self.read_digests: list[str] = []
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def read(self, picture: Picture) -> PictureText:
        self.read_digests.append(picture.digest)
        await self.may_read.wait()
        if picture.digest in self.unreadable:
            raise TextUnreadable
        return self.texts.get(picture.digest, PictureText())

    async def close(self) -> None:
        """Do nothing."""
