"""Find images by words, in SQL. Implements ``storage.ports.words.ImageWords``."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    func,
    intersect,
    literal_column,
    or_,
    select,
    union,
)

from bot.domain.channels import VisibleOrigins
from bot.domain.errors import InvalidInput
from bot.domain.find_words import WITH_DIGIT, Term
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.storage.catalogue.rows import database_id_of
from bot.storage.catalogue.texts.vocabulary import SimilarWords, distant_words, mistyped_words
from bot.storage.catalogue.visibility import closed_channels, is_visible
from bot.storage.sql.database import Database
from bot.storage.sql.paging import has_prefix
from bot.storage.sql.schema.tables import image_origins, image_words, images, origin_words

RARE = 3000
"""Rows of a word up to which a search begins with them. Of more frequent ones, it looks at the newest images first."""

MAX_WIDENED = 4
"""Words of a question for which similar ones are looked up, since that reads the words of the whole database."""

NEWEST = 2000
"""Images that are looked at for frequent words before all images with these words."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What stands for a word of a question: some words, and the beginnings of words."""

    words: frozenset[str]
    beginnings: frozenset[str] = frozenset()

    def choices(self, column: ColumnElement[str], *, in_picture: bool = False) -> list[ColumnElement[bool]]:
        """Return conditions on a column of words, of which one must hold. Words of pictures have no mark of digits."""
        plain = (lambda word: word.removeprefix(WITH_DIGIT)) if in_picture else str
        choices = [and_(*has_prefix(column, plain(one))) for one in sorted(self.beginnings)]
        if self.words:
            choices.append(column.in_(sorted({plain(word) for word in self.words})))
        return choices


class SqlImageWords:
    """The words of images, for every back end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, key: DatabaseKey, question: Sequence[Term], visible: VisibleOrigins | None, limit: int, whole: str = ""
    ) -> Sequence[DataId]:
        """Return up to ``limit`` images that have all of the words, or else some of them."""

        def work(connection: Connection) -> list[DataId]:
            database_id = database_id_of(connection, key)
            # Usually everything can be seen, and searches need not look at origins.
            is_all_seen = visible is None or not closed_channels(connection, database_id, visible)
            return _Search(connection, database_id, None if is_all_seen else visible).run(question, limit, whole)

        return await self._database.read(work) if question else []


@dataclass(frozen=True, slots=True)
class _Search:
    """One search of a database, on one connection."""

    connection: Connection
    database_id: int
    visible: VisibleOrigins | None

    def run(self, question: Sequence[Term], limit: int, whole: str) -> list[DataId]:
        """Return the images, the surest first.

        Whether less sure ones are looked for depends on what the reader sees, and not on hidden images.
        """
        patterns = [_begins(term) for term in question]
        found: dict[DataId, None] = dict.fromkeys(self._having_all(patterns, limit))
        if len(found) >= limit:
            # An image with this id, and those with the very words, come before newer images.
            exact = [_Pattern(frozenset({term.token})) for term in question]
            surest = dict.fromkeys([*self._with_id(whole, limit), *self._having_all(exact, limit)])
            found = surest | found
        for similar in (mistyped_words, distant_words):
            if not found:
                wider = map(partial(self._wider, similar), question[:MAX_WIDENED], patterns)
                patterns = [*wider, *patterns[MAX_WIDENED:]]
                found |= dict.fromkeys(self._having_all(patterns, limit))
        if not found and len(question) > 1:
            found |= dict.fromkeys(self._having_most(patterns, limit))
        return list(found)[:limit]

    def _with_id(self, whole: str, limit: int) -> list[DataId]:
        """Return the images that have the whole question as their id where the reader sees them."""
        try:
            key = EntityId(whole).key
        except InvalidInput:
            return []
        in_database = select(images.c.id).where(images.c.database_id == self.database_id)
        given = in_database.join(image_origins).where(image_origins.c.entity_key == key, *self._seen(image_origins))
        kept = in_database.join(image_origins).where(
            images.c.entity_key == key, image_origins.c.entity_key.is_(None), *self._seen(image_origins)
        )
        return self._among(union(given, kept), (), limit)

    def _wider(self, similar: SimilarWords, term: Term, pattern: _Pattern) -> _Pattern:
        """Return a pattern with similar words, if the reader finds nothing by the word itself."""
        if self._having_all([pattern], 1):
            return pattern
        return replace(pattern, words=pattern.words | similar(self.connection, self.database_id, term))

    def _having_all(self, patterns: Sequence[_Pattern], limit: int) -> list[DataId]:
        counts = self._counts(patterns, RARE)
        if not all(counts):
            return []
        rarest = min(range(len(counts)), key=counts.__getitem__)
        if counts[rarest] < RARE:
            others = [pattern for place, pattern in enumerate(patterns) if place != rarest]
            return self._among(self._hits(patterns[rarest]), others, limit)
        # Of frequent words, the newest images usually have enough.
        newest = select(images.c.id).where(images.c.database_id == self.database_id)
        newest = newest.order_by(images.c.created_at.desc(), images.c.id.desc()).limit(NEWEST)
        if len(found := self._among(newest, patterns, limit)) >= limit:
            return found
        return self._among(intersect(*map(self._hits, patterns)), (), limit)

    def _among(self, candidates: Any, patterns: Sequence[_Pattern], limit: int) -> list[DataId]:
        """Return those of the candidates, given by row id, that have all of the words, newest first."""
        rows = candidates.subquery()
        # Without a condition on the database, which would let SQLite look at all of its images.
        wanted = select(images.c.data_id).where(images.c.id.in_(select(rows.c[0])), *map(self._has, patterns))
        return self._read(self._only_seen(wanted), limit)

    def _having_most(self, patterns: Sequence[_Pattern], limit: int) -> list[DataId]:
        """Return images that have some of the words, those with most of them first."""
        having: dict[DataId, int] = {}
        for pattern in patterns:
            for data_id in self._having_all([pattern], limit):
                having[data_id] = having.get(data_id, 0) + 1
        return sorted(having, key=lambda data_id: -having[data_id])

    def _read(self, query: Select[Any], limit: int) -> list[DataId]:
        newest_first = query.order_by(images.c.id.desc()).limit(limit)
        return [DataId(data_id) for data_id in self.connection.execute(newest_first).scalars()]

    def _only_seen(self, query: Select[Any]) -> Select[Any]:
        """Leave out the images that the reader may not see."""
        if self.visible is None:
            return query
        seen = image_origins.alias()
        return query.where(exists().where(seen.c.image_id == images.c.id, is_visible(self.visible, seen.c)))

    def _counts(self, patterns: Sequence[_Pattern], most: int) -> list[int]:
        """Return how many rows have each word, up to ``most`` of each kind."""
        one: ColumnElement[int] = literal_column("1")

        def count(rows: Select[Any]) -> ColumnElement[int]:
            return select(func.count()).select_from(rows.limit(most).subquery()).scalar_subquery()

        counts = [reduce(operator.add, map(count, self._rows(pattern, one, one))) for pattern in patterns]
        return list(self.connection.execute(select(*counts)).one())

    def _rows(self, pattern: _Pattern, of_origins: Any, of_pictures: Any) -> list[Select[Any]]:
        """Return queries for the rows of a word. One with alternatives would look at all words of the database."""
        found = []
        for table, column, in_picture in ((origin_words, of_origins, False), (image_words, of_pictures, True)):
            query = select(column).select_from(table).where(table.c.database_id == self.database_id)
            found += [query.where(choice) for choice in pattern.choices(table.c.word, in_picture=in_picture)]
        return found

    def _hits(self, pattern: _Pattern) -> Select[Any]:
        """Return a query for the row ids of images that have the word."""
        rows = self._rows(pattern, image_origins.c.image_id, image_words.c.image_id)
        origins = rows[: len(rows) // 2]
        of_origins = [
            query.select_from(origin_words.join(image_origins)).where(*self._seen(image_origins)) for query in origins
        ]
        # A subquery, because SQLite takes no parentheses around what is intersected.
        hits = union(*of_origins, *rows[len(rows) // 2 :]).subquery()
        return select(hits.c[0])

    def _has(self, pattern: _Pattern) -> ColumnElement[bool]:
        """Return the condition on images that have the word."""
        origins, words = image_origins.alias(), origin_words.alias()
        of_origin = exists().where(
            origins.c.image_id == images.c.id,
            words.c.origin_id == origins.c.id,
            or_(*pattern.choices(words.c.word)),
            *self._seen(origins),
        )
        in_picture = or_(*pattern.choices(image_words.c.word, in_picture=True))
        return or_(of_origin, exists().where(image_words.c.image_id == images.c.id, in_picture))

    def _seen(self, origins: FromClause) -> list[ColumnElement[bool]]:
        return [] if self.visible is None else [is_visible(self.visible, origins.c)]


def _begins(term: Term) -> _Pattern:
    token = frozenset({term.token})
    return _Pattern(frozenset(), token) if term.may_continue else _Pattern(token)
