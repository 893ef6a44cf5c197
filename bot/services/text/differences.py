"""Tell one template from another: pictures of one layout whose words differ are no copies. Pure functions.

Edits of a copy add words or cut some off, and a small copy is misread. None of that puts other words in the place of
the stored ones. So words are compared that lie at the same place, after the words that agree have shown where the query
lies in the stored picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

from bot.domain.matches import PictureRegion
from bot.domain.texts import PictureText, TextLine, words_of

SURE = 0.93
"""Least confidence of lines that may show a difference."""

NEAR = 0.1
"""How far from its place a word is looked for in the other picture, as a share of the picture."""

MAX_EDGE = 0.01
"""Distance from the edge of the picture, as a share of it, below which a line may have been cut."""

MIN_COMMON = 2
"""Least number of words that both pictures have at matching places. They show that the layout is the same."""

MIN_OVERLAP = 0.5
"""Least overlap of two words at the same place: of the shorter one's width, and of the lower one's height."""

MAX_HEIGHTS = 1.4
"""Greatest ratio of the heights of two words at the same place. A caption across a line is larger, mostly."""

MAX_STRAY = 0.03
"""How far a word may be from its place, as a share of the picture."""

MAX_FITTED = 40
"""Greatest number of common words from which the query's place is computed."""

MIN_AGREEING = 0.6
"""Share of the common words that must be at matching places."""

MIN_ALIKE = 0.7
"""Share of a word's letters that agree, from which it may be the same word misread."""

_SHORT, _LONG = 4, 8
"""Letters of a word of which one may be misread, and of one of which two may."""

MIN_DIGITS = 3
_DIGITS = str.maketrans("", "", "0123456789ol")
"""Digits, in the form to which words are folded."""

_WORD = re.compile(r"\S+")


def edit_distance(one: str, other: str, most: int) -> int:
    """Return how many letters must be changed, added or left out; ``most`` + 1 if more than that."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], number
        for place, wanted in enumerate(other, start=1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (letter != wanted))
        if min(row) > most:
            return most + 1
    return row[-1]


def are_alike(one: str, other: str) -> bool:
    """Return whether two folded words are the same, perhaps misread: one letter of four differs, or two of eight."""
    if one == other:
        return True
    shorter = min(len(one), len(other))
    # Few misread words have another first letter and another last one, and most pairs of words have.
    if shorter < _SHORT or (one[0] != other[0] and one[-1] != other[-1]):
        return False
    most = 1 if shorter < _LONG else 2
    return edit_distance(one, other, most) <= most


def show_different_words(query: PictureText, stored: PictureText) -> bool:
    """Return whether two pictures have the same layout, but other words in it."""
    ours, theirs = placed_words(query), placed_words(stored)
    placed = _placement(ours, theirs)
    if placed is None:
        return False
    moved = [replace(word, box=placed.moved(word.box)) for word in ours]
    return any(
        _is_same_place(word.box, other.box) for other in _lacking(theirs, moved) for word in _lacking(moved, theirs)
    )


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word as it is compared: folded, and where it is. ``is_sure``: it was read for sure."""

    folded: str
    is_sure: bool
    box: PictureRegion


@dataclass(frozen=True, slots=True)
class _Placement:
    """Where the query lies in the stored picture: stored = scale * query + shift, for each axis."""

    scale_x: float
    scale_y: float
    shift_x: float
    shift_y: float

    def moved(self, box: PictureRegion) -> PictureRegion:
        return PictureRegion(
            box.left * self.scale_x + self.shift_x,
            box.top * self.scale_y + self.shift_y,
            box.width * self.scale_x,
            box.height * self.scale_y,
        )


def placed_words(text: PictureText) -> list[PlacedWord]:
    """Return the words of all lines. Where a word is in its line follows from the letters before it."""
    return [word for line in text.sure_lines for word in _words_of(line)]


def _words_of(line: TextLine) -> Iterator[PlacedWord]:
    is_sure, box = _is_sure(line), line.box
    letter = box.width / max(len(line.text), 1)
    for found in _WORD.finditer(line.text):
        if folded := "".join(words_of(found.group())):
            left, width = box.left + found.start() * letter, len(found.group()) * letter
            yield PlacedWord(folded, is_sure, PictureRegion(left, box.top, width, box.height))


def _is_sure(line: TextLine) -> bool:
    """Return whether a line was read for sure, and is not at the edge of the picture, which may have cut it."""
    box = line.box
    at_edge = min(box.left, box.top, 1 - box.left - box.width, 1 - box.top - box.height) < MAX_EDGE
    return line.confidence >= SURE and not at_edge


def _placement(ours: Sequence[PlacedWord], theirs: Sequence[PlacedWord]) -> _Placement | None:
    """Return where the query lies in the stored picture, as the words of both show; None if they don't."""
    first, second = _unique(ours), _unique(theirs)
    pairs = [(first[word].box, second[word].box) for word in first.keys() & second.keys()]
    if len(pairs) < MIN_COMMON:
        return None
    # Words have sizes of their own, so two of them are enough even if they lie in one row or column.
    scale_x = median(to.width / max(of.width, 1e-6) for of, to in pairs)
    scale_y = median(to.height / max(of.height, 1e-6) for of, to in pairs)
    xs, ys = _axis(pairs, "left", scale_x), _axis(pairs, "top", scale_y)
    placed = _Placement(xs[0], ys[0], xs[1], ys[1])
    agree = sum(_stray(placed.moved(of), to) <= MAX_STRAY for of, to in pairs)
    return placed if agree >= max(MIN_COMMON, MIN_AGREEING * len(pairs)) else None


def _axis(pairs: Sequence[tuple[PictureRegion, PictureRegion]], side: str, scale: float) -> tuple[float, float]:
    """Return scale and shift of an axis, as most pairs of words have it; the scale of their sizes if all are near."""
    points = [(getattr(of, side), getattr(to, side)) for of, to in pairs[:MAX_FITTED]]
    slopes = [(t2 - t1) / (o2 - o1) for (o1, t1), (o2, t2) in combinations(points, 2) if abs(o2 - o1) > 4 * MAX_STRAY]
    # A word that stands in two fields goes astray. The median of the slopes leaves it out.
    if slopes and median(slopes) > 0:
        scale = median(slopes)
    return scale, median(to - scale * of for of, to in points)


def _unique(words: Sequence[PlacedWord]) -> Mapping[str, PlacedWord]:
    counts = Counter(word.folded for word in words)
    return {word.folded: word for word in words if counts[word.folded] == 1 and len(word.folded) >= _SHORT}


def _stray(one: PictureRegion, other: PictureRegion) -> float:
    return max(abs(one.left - other.left), abs(one.top - other.top))


def _gap(one: PictureRegion, other: PictureRegion) -> float:
    """Return how far two boxes are apart; 0 if they touch."""
    across = max(one.left - other.left - other.width, other.left - one.left - one.width)
    return max(across, one.top - other.top - other.height, other.top - one.top - one.height, 0.0)


def _is_same_place(one: PictureRegion, other: PictureRegion) -> bool:
    """Return whether two words fill one field: they overlap, and begin, end or lie around the same point."""
    low, high = sorted((one.height, other.height))
    if low <= 0 or high > MAX_HEIGHTS * low:
        return False
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if across < MIN_OVERLAP * min(one.width, other.width) or down < MIN_OVERLAP * low:
        return False
    begin, end = one.left - other.left, one.left + one.width - other.left - other.width
    return min(abs(begin), abs(end), abs(begin + end) / 2) <= MAX_STRAY / 2


def _lacking(words: Sequence[PlacedWord], others: Sequence[PlacedWord]) -> list[PlacedWord]:
    """Return the words that were read for sure and that the other picture doesn't have near their place.

    Right at their place is not enough: the lines of a tilted picture overlap their neighbours.
    """
    return [
        word
        for word in words
        if word.is_sure
        and all(_gap(word.box, other.box) > NEAR or differ(word.folded, other.folded) for other in others)
    ]


def differ(word: str, other: str) -> bool:
    """Return whether a word is not another one: misread, cut off, or read together with its neighbour."""
    longest = max(len(word), len(other))
    common = max(_common_beginning(word, other), _common_beginning(word[::-1], other[::-1]))
    if len(word) == len(other) >= MIN_DIGITS and not (word + other).translate(_DIGITS):
        # One digit may be misread. A number that was cut off is shorter.
        return sum(left != right for left, right in zip(word, other, strict=True)) > 1
    if (other in word and 2 * len(other) >= len(word)) or (common > 1 and 2 * common >= longest):
        return False
    if len(other) > len(word):
        most = int(len(word) * (1 - MIN_ALIKE))
        parts = {other[at : at + len(word)] for at in range(len(other) - len(word) + 1)}
        if any(edit_distance(word, part, most) <= most for part in parts):
            return False
    most = int(longest * (1 - MIN_ALIKE))
    return edit_distance(word, other, most) > most


def _common_beginning(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((place for place, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
