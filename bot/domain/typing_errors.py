"""Whether a word may be meant by one with typing errors. Pure functions."""

from __future__ import annotations

TWO_ERRORS_FROM = 8
"""Letters of a word that may have two typing errors."""

SWAPPED = 2
"""Neighbours that were swapped count as one error."""


def errors_allowed(typed: str) -> int:
    """Return how many typing errors a word may have."""
    return 2 if len(typed) >= TWO_ERRORS_FROM else 1


def is_typing_error(typed: str, word: str) -> bool:
    """Return whether a word may be meant: one letter missing, added, replaced or swapped; two in a long word."""
    errors = errors_allowed(typed)
    if abs(len(typed) - len(word)) > errors:
        return False
    typed, word = _without_common_ends(typed, word)
    if max(len(typed), len(word)) <= errors:
        return True
    if errors == 1:
        return len(typed) == SWAPPED and typed == word[::-1]
    return _distance(typed, word, errors) <= errors


def _without_common_ends(one: str, other: str) -> tuple[str, str]:
    start, shorter = 0, min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]


def _distance(one: str, other: str, most: int) -> int:
    """Return how many letters were missed, added, replaced or swapped; ``most`` + 1 if more."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [place]
        for at, against in enumerate(other, start=1):
            cost = min(before[at] + 1, row[at - 1] + 1, before[at - 1] + (letter != against))
            swapped = place > 1 and at > 1 and letter == other[at - 2] and one[place - 2] == against
            row.append(min(cost, earlier[at - 2] + 1) if swapped else cost)
        if min(row) > most:
            return most + 1
    return row[-1]
