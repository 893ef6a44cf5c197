"""Foreign words: words on the thing in one picture that another picture of the item would show too. Pure functions.

Flavours of one pack have the brand, the kind and a slogan in common. What tells them apart is a word that only one of
them has. A word counts if it is nearly as large as one that both pictures show, because smaller ones may be unreadable
in the other picture, and if it is next to such words, because others are on price labels and on things beside it.
docs/decisions/0046 has the measurements.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from bot.domain.matches import PictureRegion
from bot.domain.texts import PictureText
from bot.services.text.differences import PlacedWord, differ, placed_words

MIN_LETTERS, MIN_COMMON_LETTERS = 4, 3
"""Letters of a foreign word, and of a word that both pictures show. Shorter ones are mostly misread. An ideograph
counts as two."""

MIN_HEIGHT = 0.6
"""Least height of a foreign word, as a share of the tallest word that both pictures show."""

MAX_GAP = 1.5
"""How far the middle of a foreign word may be from the words that both pictures show, in heights of the tallest one: on
the next line or beside them."""

MAX_WORDS, MAX_OTHERS = 100, 400
"""Words of a picture that may be foreign, and those of the other one with which they are compared, the tallest first. A
page of a book has more, and none of them is tall."""

_FORMER_DIGITS = frozenset("lo")
"""Letters to which digits are folded. A word of them is a number, such as a price or a weight."""


def are_of_different_items(one: PictureText, other: PictureText, least_height: float = MIN_HEIGHT) -> bool:
    """Return whether one of two texts of things that look alike has a word that shows another item.

    ``least_height``: instead of MIN_HEIGHT. False if no word is in both, since nothing shows where the things are then.
    """
    ours, theirs = _tallest(placed_words(one)), _tallest(placed_words(other))
    return _has_foreign(ours, theirs, least_height) or _has_foreign(theirs, ours, least_height)


def _has_foreign(words: Sequence[PlacedWord], others: Sequence[PlacedWord], least_height: float) -> bool:
    common: list[PlacedWord] = []
    lacking: list[PlacedWord] = []
    known = {other.folded for other in others}
    for word in words[:MAX_WORDS]:
        is_known = word.folded in known or not all(differ(word.folded, other) for other in known)
        (common if is_known else lacking).append(word)
    common = [word for word in common if _letters(word.folded) >= MIN_COMMON_LETTERS]
    if not common:
        return False
    tallest = max(word.box.height for word in common)
    around = _around(common, MAX_GAP * tallest)
    return any(
        word.box.height >= least_height * tallest and _may_be_foreign(word) and _is_in(word.box, around)
        for word in lacking
    )


def _tallest(words: Sequence[PlacedWord]) -> list[PlacedWord]:
    return sorted(words, key=lambda word: -word.box.height)[:MAX_OTHERS]


def _may_be_foreign(word: PlacedWord) -> bool:
    is_name = word.folded.isalpha() and len(set(word.folded) - _FORMER_DIGITS) > 1
    return word.is_sure and is_name and _letters(word.folded) >= MIN_LETTERS


def _letters(word: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) == "W" else 1 for letter in word if letter.isalpha())


def _around(words: Sequence[PlacedWord], gap: float) -> PictureRegion:
    """Return the smallest region that has all the words, with a margin."""
    left, top = min(word.box.left for word in words) - gap, min(word.box.top for word in words) - gap
    right = max(word.box.left + word.box.width for word in words) + gap
    bottom = max(word.box.top + word.box.height for word in words) + gap
    return PictureRegion(left, top, right - left, bottom - top)


def _is_in(box: PictureRegion, around: PictureRegion) -> bool:
    """Return whether the middle of a box is in a region."""
    x, y = box.left + box.width / 2, box.top + box.height / 2
    return 0 <= x - around.left <= around.width and 0 <= y - around.top <= around.height
