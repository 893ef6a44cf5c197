"""Text that was read from a picture, and the words by which it is compared and found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.matches import PictureRegion

MAX_LINES = 200
MAX_LINE = 300
"""Limits of a stored text: lines, and characters of a line."""

MAX_WORD = 64

MIN_CONFIDENCE = 0.5
"""Lines that the reader was less sure of are not compared. Textures are read as such lines."""

_WORD = re.compile(r"\w+")
_PART_NUMBER = re.compile(r"[^\W_]+(?:[-_./][^\W_]+)+")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_LOOKALIKES = str.maketrans({"0": "o", "1": "l", "|": "l", "i": "l"})
"""Characters that readers of text confuse, as one of each group."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text in a picture. ``confidence`` is from 0 to 1; ``box`` is where it is, as shares of the picture."""

    text: str
    confidence: float
    box: PictureRegion


@dataclass(frozen=True, slots=True)
class PictureText:
    """The lines of text in a picture, from top to bottom. A picture without text has none."""

    lines: tuple[TextLine, ...] = ()

    @property
    def sure_lines(self) -> Iterator[TextLine]:
        """The lines that the reader was sure of."""
        return (line for line in self.lines if line.confidence >= MIN_CONFIDENCE)


@dataclass(frozen=True, slots=True)
class TextCounts:
    """How many images there are, the text of how many was read, and how many can't be read."""

    images: int
    read: int
    unreadable: int

    @property
    def waiting(self) -> int:
        """Number of images whose text is still to be read."""
        return max(0, self.images - self.read - self.unreadable)


def folded(text: str) -> str:
    """Return text in the form in which words are compared: without case, accents and differences that readers miss."""
    if text.isascii():
        return text.lower().translate(_LOOKALIKES)
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(character for character in plain if not unicodedata.combining(character))
    # Hangul and kana with voicing marks come apart above; put them together again.
    return unicodedata.normalize("NFC", kept).translate(_LOOKALIKES)


def words_of(text: str) -> list[str]:
    """Return the folded words of a text in order. Ideographs have no spaces, so each pair of neighbours is a word."""
    return [part for word in _WORD.findall(folded(text)) for part in _parts(word[:MAX_LINE]) if part.strip("_")]


def part_numbers(text: str) -> list[str]:
    """Return words joined by hyphens, dots or slashes, such as part numbers, folded and without the joints."""
    return [re.sub(r"[\W_]", "", joined)[:MAX_WORD] for joined in _PART_NUMBER.findall(folded(text))]


def index_words(text: PictureText) -> frozenset[str]:
    """Return the words by which a picture is found."""
    found: set[str] = set()
    for line in text.sure_lines:
        found.update(words_of(line.text))
        found.update(part_numbers(line.text))
    return frozenset(found)


def _parts(word: str) -> Iterator[str]:
    end = 0
    for run in _IDEOGRAPHS.finditer(word):
        if run.start() > end:
            yield word[end : run.start()][:MAX_WORD]
        characters = run.group()
        yield from (characters[at : at + 2] for at in range(max(len(characters) - 1, 1)))
        end = run.end()
    if end < len(word):
        yield word[end:][:MAX_WORD]
