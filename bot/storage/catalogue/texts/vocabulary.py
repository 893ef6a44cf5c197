"""The words that a database has, to find those that are meant by a word with a typing error or by a part of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, select, text

from bot.domain.find_words import LEAST_INSIDE, WITH_DIGIT, Term, is_typing_error
from bot.storage.sql.schema.tables import image_words, origin_words

MAX_SCANNED = 20_000
"""Different words that are compared with a mistyped one. A database of 50,000 notes has about as many."""

MAX_SIMILAR = 200
"""Words that stand for one of a question."""

_LAST = "\U0010ffff"

# Each step jumps over the rows of one word in the index, so it costs the same however many images have the word.
_DISTINCT = """
WITH RECURSIVE known(word) AS (
    SELECT min(word) FROM {table} WHERE database_id = :database AND word >= :first AND word < :last
    UNION ALL
    SELECT (
        SELECT min(word) FROM {table} WHERE database_id = :database AND word > known.word AND word < :last
    ) FROM known WHERE known.word IS NOT NULL
)
SELECT word FROM known WHERE word IS NOT NULL LIMIT :most
"""
_QUERIES = tuple(text(_DISTINCT.format(table=table.name)) for table in (origin_words, image_words))


SimilarWords = Callable[[Connection, int, Term], frozenset[str]]
"""Returns words of a database, by its row id, that are similar to one of a question."""


def mistyped_words(connection: Connection, database_id: int, term: Term) -> frozenset[str]:
    """Return words that may be meant, and begin with one of the first two letters. Most errors leave one there."""
    found: set[str] = set()
    for first in dict.fromkeys(term.token[:2]) if term.may_be_mistyped else ():
        found |= _mistyped(connection, database_id, term, first, first + _LAST)
    return _limited(found)


def distant_words(connection: Connection, database_id: int, term: Term) -> frozenset[str]:
    """Return words that may be meant, and those that have the word inside."""
    found = _mistyped(connection, database_id, term, "a", _LAST) if term.may_be_mistyped else set()
    if len(term.letters) >= LEAST_INSIDE:
        found |= _containing(connection, database_id, term)
    return _limited(found)


def _limited(words: set[str]) -> frozenset[str]:
    return frozenset(sorted(words)[:MAX_SIMILAR])


def _mistyped(connection: Connection, database_id: int, term: Term, first: str, last: str) -> set[str]:
    words = _distinct(connection, database_id, first, last)
    return {word for word in words if is_typing_error(term.token, word)}


def _distinct(connection: Connection, database_id: int, first: str, last: str) -> Iterator[str]:
    place = {"database": database_id, "first": first, "last": last, "most": MAX_SCANNED}
    for query in _QUERIES:
        yield from connection.execute(query, place).scalars()


def _containing(connection: Connection, database_id: int, term: Term) -> set[str]:
    found: set[str] = set()
    for table, in_picture in ((origin_words, False), (image_words, True)):
        wanted = table.c.word.contains(term.letters, autoescape=True)
        query = select(table.c.word).where(table.c.database_id == database_id, wanted).distinct().limit(MAX_SIMILAR)
        words = connection.execute(query).scalars()
        # The words of pictures have no mark. With one or without, both tables are searched for the same.
        found.update(_marked(word) if in_picture else word for word in words)
    return found


def _marked(word: str) -> str:
    has_digit = any(character.isdigit() for character in word)
    return f"{WITH_DIGIT}{word}" if has_digit else word
