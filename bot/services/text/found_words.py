"""Where an image has the words of a question, and which image has them best. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import lru_cache

from bot.domain.catalogue import ImageRecord
from bot.domain.find_words import LEAST_INSIDE, WITH_DIGIT, Span, Term, fold, spans, without_joints
from bot.domain.texts import PictureText
from bot.domain.typing_errors import is_typing_error


class WordSource(StrEnum):
    """What has a word, the most telling first."""

    ID = "id"
    NOTE = "note"
    FILE_NAME = "file_name"
    PICTURE = "picture"


class Agreement(IntEnum):
    """How well a word of an image agrees with one of a question."""

    NONE = 0
    SIMILAR = 1
    """It has a typing error, or the word inside."""
    BEGINNING = 2
    EXACT = 3


_is_mistyped = lru_cache(maxsize=10_000)(is_typing_error)
"""Remembers its answers, since the pictures of one database have many words in common."""

_WEIGHTS = {WordSource.ID: 4, WordSource.NOTE: 3, WordSource.FILE_NAME: 2, WordSource.PICTURE: 1}


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that has some of the words, and the places of these, in order and apart."""

    source: WordSource
    text: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class WordMatch:
    """An image that has some of the words of a question.

    Attributes:
        record: The image, with only what its reader may see.
        passages: What has the words.
        agreeing: How many of the question's words it has.
        words: How many words the question has.
        strength: How well they agree, and how telling the places are.
    """

    record: ImageRecord
    passages: tuple[Passage, ...]
    agreeing: int
    words: int
    strength: int

    @property
    def order(self) -> tuple[int, int, float]:
        """Sorts matches, the best first and of equal ones the newest."""
        return -self.agreeing, -self.strength, -_seconds(self.record.added_at)


def match_words(question: Sequence[Term], record: ImageRecord, text: PictureText | None) -> WordMatch | None:
    """Return where an image has the words; None if it has none of them.

    ``record`` must have only the origins that the reader may see.
    """
    given = [*_texts(record, text)]
    # Most texts of an image have none of the words, and taking them apart takes longer than to find that out.
    texts = [(source, content, _spans_if_any(question, content)) for source, content in given]
    found = _agreeing(question, texts, _exactly)
    # Words that are only similar are no hit where the image has the very word.
    if missing := [term for term in question if term.token not in {one for one, _ in found}]:
        texts = [(source, content, [*spans(content)]) for source, content in given]
        found |= _agreeing(missing, texts, _similarly)
    best: dict[str, int] = {}
    marks: dict[int, list[tuple[int, int]]] = {}
    for (token, place), (agreement, places) in found.items():
        best[token] = max(best.get(token, 0), 10 * agreement + _WEIGHTS[texts[place][0]])
        marks.setdefault(place, []).extend(places)
    if not best:
        return None
    passages = tuple(Passage(*texts[place][:2], _apart(marks[place])) for place in sorted(marks))
    return WordMatch(record, passages, len(best), len(question), sum(best.values()))


def _spans_if_any(question: Sequence[Term], content: str) -> Sequence[Span]:
    """Return the words of a text; none if none of them can begin with one of the question."""
    if content.isascii() and not any(
        map(without_joints(fold(content)).__contains__, [one.letters for one in question])
    ):
        return ()
    return [*spans(content)]


_Texts = Sequence[tuple[WordSource, str, Sequence[Span]]]


def _agreeing(
    question: Sequence[Term], texts: _Texts, compare: Callable[[Term, Span], Agreement]
) -> dict[tuple[str, int], tuple[Agreement, list[tuple[int, int]]]]:
    """Return how well each text, by its place, agrees with each word that it has, and where."""
    found: dict[tuple[str, int], tuple[Agreement, list[tuple[int, int]]]] = {}
    for term in question:
        for place, (_, _, words) in enumerate(texts):
            for span in words:
                if agreement := compare(term, span):
                    best, places = found.get((term.token, place), (Agreement.NONE, []))
                    found[term.token, place] = (max(best, agreement), [*places, (span.start, span.end)])
    return found


def _exactly(term: Term, span: Span) -> Agreement:
    if not span.token.startswith(term.token):
        return Agreement.NONE
    if len(span.token) == len(term.token):
        return Agreement.EXACT
    return Agreement.BEGINNING if term.may_continue else Agreement.NONE


def _similarly(term: Term, span: Span) -> Agreement:
    is_inside = len(term.letters) >= LEAST_INSIDE and term.letters in span.token
    may_be_mistyped = term.may_be_mistyped and not span.token.startswith(WITH_DIGIT)
    is_similar = is_inside or (may_be_mistyped and _is_mistyped(term.token, span.token))
    return Agreement.SIMILAR if is_similar else Agreement.NONE


def _texts(record: ImageRecord, text: PictureText | None) -> Iterator[tuple[WordSource, str]]:
    seen: set[tuple[WordSource, str]] = {(WordSource.ID, str(record.entity))}
    yield WordSource.ID, str(record.entity)
    for origin in record.origins:
        given = WordSource.ID, str(origin.entity or record.entity)
        for found in (given, (WordSource.NOTE, str(origin.note)), (WordSource.FILE_NAME, origin.source_name)):
            if found[1] and found not in seen:
                seen.add(found)
                yield found
    for line in text.sure_lines if text else ():
        yield WordSource.PICTURE, line.text


def _apart(marks: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return places in order, overlapping ones as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(marks):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
