"""The words of ids, notes and file names by which images are found, and those of a question. Pure functions.

A word with a digit begins with ``#``. So the vocabulary of a database, in which typing errors are looked up, can be
read without its thousands of part numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.domain.errors import InvalidInput
from bot.domain.texts import MAX_WORD, PictureText, folded

WITH_DIGIT = "#"

WHOLE_ID = "!"
"""Begins the word that stands for a whole id. In the order of words, these come before all others."""

MAX_QUESTION = 300
"""Characters of a question. The rest is ignored."""

MAX_TERMS = 12
"""Words of a question. The rest is ignored."""

MAX_TOKENS = 400
"""Words of one id with its note and file name, which have at most 831 characters."""

MAX_PICTURE_TOKENS = 2000
"""Words of the text in a picture."""

MAX_PARTS = 6
"""Parts of a part number that are also indexed as one word."""

LEAST_PREFIX = 2
"""Letters that begin a word. A single letter is found only as a word."""

LEAST_INSIDE = 3
"""Letters that are looked for inside of words."""

LEAST_TYPED = 4
"""Letters of a word that may have a typing error."""

# Letters that have no decomposition into a letter and an accent.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "l", "æ": "ae", "œ": "oe", "þ": "th"}
)
_JOINTS = "-_./"
_JOINED_ALWAYS = "-"
_WITHOUT_JOINTS = str.maketrans("", "", _JOINTS)

# Chinese, Japanese, Korean, Thai, Lao, Burmese and Khmer: texts in which blanks don't separate words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]+"
)
_ASCII_PIECE = re.compile(r"[0-9A-Za-z]+")
_ASCII_CHUNK = re.compile(r"[0-9A-Za-z]+(?:[-_./][0-9A-Za-z]+)*")
_RUN = re.compile(r"\d+|\D+")


@dataclass(frozen=True, slots=True)
class Span:
    """A word of a text as it is indexed, and where it stands in the text."""

    token: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a question. ``may_continue``: words that begin with it are found too."""

    token: str
    may_continue: bool = True

    @property
    def letters(self) -> str:
        """The word without the mark of digits, as it is in the text of pictures."""
        return self.token.removeprefix(WITH_DIGIT)

    @property
    def may_be_mistyped(self) -> bool:
        """Whether words that differ by a typing error are found. Other digits are another part number."""
        return self.token.isalpha() and len(self.token) >= LEAST_TYPED and not _UNSPACED.match(self.token)


def fold(text: str) -> str:
    """Return a word in the form in which it is compared."""
    return folded(text) if text.isascii() else folded(folded(text).translate(_LETTERS))


def without_joints(text: str) -> str:
    """Return a text without the characters that connect the parts of a part number."""
    return text.translate(_WITHOUT_JOINTS)


def spans(text: str) -> Iterator[Span]:
    """Return the words of a text, in parts and joined, in no particular order."""
    if text.isascii():
        for found in _ASCII_CHUNK.finditer(text):
            at = found.start()
            yield from (Span(token, at + start, at + end) for token, start, end in _ascii_spans(found.group()))
    else:
        yield from _spans_of_any(text)


# Names of files and notes have the same words again and again.
@lru_cache(8192)
def _ascii_spans(chunk: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((span.token, span.start, span.end) for span in _spans_of_any(chunk))


def _spans_of_any(text: str) -> Iterator[Span]:
    for chunk in _chunks(text):
        for start, end in chunk:
            yield from _spans_of_piece(text, start, end)
        if len(chunk) > 1 and _is_joined(text, chunk):
            for first in range(max(0, len(chunk) - MAX_PARTS), len(chunk) - 1):
                yield from _joined(text, chunk[first:])


def index_tokens(*texts: str) -> frozenset[str]:
    """Return the words by which texts are found."""
    found: dict[str, None] = {}
    for text in texts:
        for span in spans(unicodedata.normalize("NFC", text)):
            found[span.token] = None
            if len(found) >= MAX_TOKENS:
                return frozenset(found)
    return frozenset(found)


def picture_tokens(text: PictureText) -> frozenset[str]:
    """Return the words by which a picture is found that has the text."""
    found: dict[str, None] = {}
    for line in text.sure_lines:
        found.update((span.token, None) for span in spans(unicodedata.normalize("NFC", line.text)))
        if len(found) >= MAX_PICTURE_TOKENS:
            break
    return frozenset(list(found)[:MAX_PICTURE_TOKENS])


def whole_id_token(entity_key: str) -> str:
    """Return the word that stands for a whole id, by its key."""
    return f"{WHOLE_ID}{entity_key}"[:MAX_WORD]


def terms_of(question: str, *, in_parts: bool = False) -> tuple[Term, ...]:
    """Return the words of a question; ``in_parts`` takes ``DN25`` and ``VLV-0042`` apart.

    Raises InvalidInput if there are none.
    """
    text = unicodedata.normalize("NFC", question[:MAX_QUESTION])
    terms: dict[str, Term] = {}
    for chunk in _chunks(text):
        is_one_word = len(chunk) <= MAX_PARTS and not in_parts and not _UNSPACED.search(text, chunk[0][0], chunk[-1][1])
        whole = [*_joined(text, chunk)] if is_one_word else []
        if whole and whole[0].token.startswith(WITH_DIGIT):
            found = [_term(whole[0].token)]
        else:
            found = [term for start, end in chunk for term in _terms_of_piece(text[start:end], in_parts=in_parts)]
        terms.update((term.token, term) for term in found)
    if not terms:
        raise InvalidInput("Which words? Name some of the id, the note, the file name or the text in the picture.")
    return tuple(terms.values())[:MAX_TERMS]


def _chunks(text: str) -> Iterator[list[tuple[int, int]]]:
    """Yield the places of the words that single joints connect, such as the parts of a part number."""
    chunk: list[tuple[int, int]] = []
    for start, end in _pieces(text):
        is_connected = chunk and start - chunk[-1][1] == 1 and text[start - 1] in _JOINTS
        if chunk and not is_connected:
            yield chunk
            chunk = []
        chunk.append((start, end))
    if chunk:
        yield chunk


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    if text.isascii():
        yield from (found.span() for found in _ASCII_PIECE.finditer(text))
        return
    start = None
    for place, character in enumerate(text):
        # Vowels of Indian scripts are marks, which regular expressions don't count to words.
        is_inside = character.isalnum() or (not character.isascii() and unicodedata.category(character)[0] == "M")
        if is_inside and start is None:
            start = place
        elif not is_inside and start is not None:
            yield start, place
            start = None
    if start is not None:
        yield start, len(text)


def _is_joined(text: str, chunk: Sequence[tuple[int, int]]) -> bool:
    first, last = chunk[0][0], chunk[-1][1]
    return any(character.isdigit() or character in _JOINED_ALWAYS for character in text[first:last])


def _joined(text: str, chunk: Sequence[tuple[int, int]]) -> Iterator[Span]:
    word = "".join(text[start:end] for start, end in chunk)
    if token := _token(word):
        yield Span(token, chunk[0][0], chunk[-1][1])


# Names of files have the same words again and again.
@lru_cache(4096)
def _token(word: str) -> str:
    plain = fold(word)[:MAX_WORD]
    has_digit = any(character.isdigit() for character in word)
    return f"{WITH_DIGIT}{plain}"[:MAX_WORD] if has_digit and plain else plain


def _spans_of_piece(text: str, start: int, end: int) -> Iterator[Span]:
    at = start
    for run in _UNSPACED.finditer(text, start, end):
        if run.start() > at:
            yield from _spans_of_word(text, at, run.start())
        yield from _pairs(run.group(), run.start())
        at = run.end()
    if at < end:
        yield from _spans_of_word(text, at, end)


def _spans_of_word(text: str, start: int, end: int) -> Iterator[Span]:
    word = text[start:end]
    if token := _token(word):
        yield Span(token, start, end)
    runs = [*_RUN.finditer(word)]
    if len(runs) > 1:
        for run in runs:
            if token := _token(run.group()):
                yield Span(token, start + run.start(), start + run.end())


def _pairs(run: str, start: int) -> Iterator[Span]:
    """Yield each pair of neighbours, and the last character alone, so that each one begins a word."""
    plain = fold(run)
    is_same_length = len(plain) == len(run)
    for at in range(len(plain)):
        pair = plain[at : at + 2]
        place = (start + at, start + at + len(pair)) if is_same_length else (start, start + len(run))
        yield Span(pair, *place)


def _terms_of_piece(piece: str, *, in_parts: bool) -> Iterator[Term]:
    at = 0
    for run in _UNSPACED.finditer(piece):
        yield from _terms_of_word(piece[at : run.start()], in_parts=in_parts)
        plain = fold(run.group())
        if len(plain) == 1:
            yield Term(plain)
        yield from (Term(plain[place : place + 2], may_continue=False) for place in range(len(plain) - 1))
        at = run.end()
    yield from _terms_of_word(piece[at:], in_parts=in_parts)


def _terms_of_word(word: str, *, in_parts: bool) -> Iterator[Term]:
    for part in _RUN.findall(word) if in_parts else [word]:
        if token := _token(part):
            yield _term(token)


def _term(token: str) -> Term:
    return Term(token, may_continue=len(token.removeprefix(WITH_DIGIT)) >= LEAST_PREFIX)
