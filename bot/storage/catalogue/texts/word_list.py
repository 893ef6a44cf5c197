"""Different words in memory, among which those are looked up that resemble a mistyped one or have it inside."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bot.domain.find_words import WITH_DIGIT
from bot.domain.typing_errors import errors_allowed

_END = "\n"
_BITS = 64


class WordList:
    """Words without digits, and words with the mark of digits, each as one text with a word a line.

    Comparing 12,000 words with a mistyped one takes a millisecond, and 100,000 part numbers with a part of one too.
    """

    def __init__(self, letters: str, digits: str) -> None:
        self._letters, self._digits = _lines(letters), _lines(digits)
        codes = _codes(self._letters)
        ends = np.flatnonzero(codes == ord(_END))
        self._codes = codes
        self._starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        self._lengths = ends - self._starts
        # Which letters a word has. Two of them may share a bit.
        bits = np.where(codes == ord(_END), 0, np.left_shift(1, codes % _BITS, dtype=np.uint64)).astype(np.uint64)
        self._masks = np.bitwise_or.reduceat(bits, self._starts) if len(ends) else bits

    @classmethod
    def of(cls, words: Iterable[str]) -> WordList:
        """Return a list of some words."""
        every = sorted(words)
        digits = [word for word in every if word.startswith(WITH_DIGIT)]
        return cls(_END.join(every[len(digits) :]), _END.join(digits))

    @property
    def size(self) -> int:
        """Bytes of memory."""
        arrays = (self._codes, self._starts, self._lengths, self._masks)
        return sys.getsizeof(self._letters) + sys.getsizeof(self._digits) + sum(array.nbytes for array in arrays)

    def mistyped(self, typed: str) -> Mapping[str, int]:
        """Return the words without digits of which ``typed`` may be a misspelling, and how many errors it has."""
        errors, codes = errors_allowed(typed), _codes(typed)
        mask = np.bitwise_or.reduce(np.left_shift(1, codes % _BITS, dtype=np.uint64))
        # An error changes at most two of the letters that a word has.
        is_near = np.bitwise_count(self._masks ^ mask) <= 2 * errors
        [near] = np.nonzero(is_near & (np.abs(self._lengths - len(codes)) <= errors))
        if not len(near):
            return {}
        starts, lengths = self._starts[near], self._lengths[near]
        places = np.arange(len(codes) + errors)
        letters = np.where(
            places[:, None] < lengths, self._codes[np.minimum(starts + places[:, None], len(self._codes) - 1)], 0
        )
        distances = _distances(codes, letters)[lengths, np.arange(len(near))]
        return {
            self._letters[starts[one] : starts[one] + lengths[one]]: int(distances[one])
            for one in np.flatnonzero(distances <= errors)
        }

    def containing(self, letters: str) -> Iterator[str]:
        """Yield the words that have the letters inside."""
        for lines in (self._letters, self._digits):
            place = lines.find(letters)
            while place >= 0:
                end = lines.index(_END, place)
                yield lines[lines.rfind(_END, 0, place) + 1 : end]
                place = lines.find(letters, end)


def _lines(text: str) -> str:
    return f"{text}{_END}" if text else ""


def _codes(text: str) -> Any:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _distances(typed: Any, letters: Any) -> Any:
    """Return how many letters were missed, added, replaced or swapped, for each length of each word.

    ``letters`` has a column for each word. It is what ``typing_errors.is_typing_error`` says of one word.
    """
    places = np.arange(len(letters) + 1, dtype=np.int16)[:, None]
    earlier = before = row = np.broadcast_to(places, (len(places), letters.shape[1]))
    for number, letter in enumerate(typed):
        earlier, before = before, row
        differs = letters != letter
        row = np.empty(before.shape, dtype=np.int16)
        row[0] = number + 1
        row[1:] = np.minimum(before[1:] + 1, before[:-1] + differs)
        if number:
            is_swapped = ~differs[:-1] & (letters[1:] == typed[number - 1])
            row[2:] = np.where(is_swapped, np.minimum(row[2:], earlier[:-2] + 1), row[2:])
        # A letter that was missed costs one more than the place before.
        row = np.minimum.accumulate(row - places, axis=0) + places
    return row
