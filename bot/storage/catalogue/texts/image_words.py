"""Find images by words, in SQL. Implements ``storage.ports.texts.ImageWords``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    cast,
    func,
    intersect,
    literal_column,
    select,
    text,
)

from bot.domain.channels import VisibleOrigins
from bot.domain.errors import InvalidInput
from bot.domain.find_words import Term, whole_id_token
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.storage.catalogue.rows import database_id_of
from bot.storage.catalogue.texts.vocabulary import SimilarWords, Vocabulary, VocabularyCache
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import image_origins, images, origin_words

RARE = 1500
"""Rows of a word up to which all are read. Of more frequent ones, a search looks at the newest images first."""

MAX_WIDENED = 4
"""Words of a question for which similar ones are looked up."""

NEWEST = 2000
"""Images that are looked at for frequent words before all images with these words."""

_WORDS = origin_words.c
_LAST = "\U0010ffff"

# Each step jumps over the rows of one scope in the index.
_SCOPES = text(
    """
    WITH RECURSIVE known(scope) AS (
        SELECT min(scope) FROM origin_words WHERE database_id = :database
        UNION ALL
        SELECT (SELECT min(scope) FROM origin_words WHERE database_id = :database AND scope > known.scope)
        FROM known WHERE known.scope IS NOT NULL
    )
    SELECT scope FROM known WHERE scope IS NOT NULL
    """
)
_BEGINNING = (_WORDS.word >= bindparam("first"), _WORDS.word < bindparam("last"))
_AMONG = (_WORDS.word.in_(bindparam("words", expanding=True)),)


def _some_rows(word: Iterable[ColumnElement[bool]]) -> Select[Any]:
    seen = _WORDS.scope.in_(bindparam("scopes", expanding=True))
    wanted = select(_WORDS.image_id).where(_WORDS.database_id == bindparam("database"), seen, *word)
    rows = wanted.limit(bindparam("most")).subquery()
    # As one text, since reading 1500 rows one by one takes several times as long.
    return select(func.aggregate_strings(cast(rows.c.image_id, String), ","))


# Built once, since a search runs several of them.
_SOME_ROWS = {False: _some_rows(_AMONG), True: _some_rows(_BEGINNING)}
_DATA_IDS = select(images.c.id, images.c.data_id).where(images.c.id.in_(bindparam("some", expanding=True)))


@lru_cache(64)
def _images_having(are_newest: bool, are_beginnings: tuple[bool, ...]) -> Select[Any]:
    """Return a query for the newest images of a database, or for some, that have several words."""
    if are_newest:
        some = select(images.c.id).where(images.c.database_id == bindparam("database"))
        some = some.order_by(images.c.created_at.desc(), images.c.id.desc()).limit(bindparam("newest"))
    else:
        some = select(images.c.id).where(images.c.id.in_(bindparam("some", expanding=True)))
        some = some.order_by(images.c.id.desc())
    candidates = some.subquery()
    wanted = select(candidates.c.id)
    of_image = image_origins.join(origin_words, _WORDS.origin_id == image_origins.c.id)
    for number, is_beginning in enumerate(are_beginnings):
        found: Select[Any] = select(literal_column("1")).select_from(of_image)
        found = found.where(
            image_origins.c.image_id == candidates.c.id,
            _WORDS.scope.in_(bindparam(f"scopes_{number}", expanding=True)),
        )
        if is_beginning:
            found = found.where(_WORDS.word >= bindparam(f"first_{number}"), _WORDS.word < bindparam(f"last_{number}"))
        else:
            found = found.where(_WORDS.word.in_(bindparam(f"words_{number}", expanding=True)))
        # The offset keeps PostgreSQL from reading all rows of the word, to join them.
        wanted = wanted.where(found.offset(0).exists())
    return wanted.limit(bindparam("most"))


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What stands for a word of a question: some words, or the beginning of words.

    ``scopes`` are those that have them, if that is known.
    """

    words: frozenset[str] = frozenset()
    beginning: str | None = None
    scopes: frozenset[str] | None = None

    @property
    def is_beginning(self) -> bool:
        return self.beginning is not None

    def values(self, scopes: Sequence[str]) -> dict[str, Any]:
        """Return the values of a query's parameters."""
        seen = scopes if self.scopes is None else sorted(self.scopes)
        if self.beginning is not None:
            return {"scopes": seen, "first": self.beginning, "last": self.beginning + _LAST}
        return {"scopes": seen, "words": sorted(self.words)}


class SqlImageWords:
    """The words of images, for every back end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._vocabularies = VocabularyCache()

    async def find(
        self, key: DatabaseKey, question: Sequence[Term], visible: VisibleOrigins | None, limit: int, whole: str = ""
    ) -> Sequence[DataId]:
        """Return up to ``limit`` images that have all of the words, or else some of them."""

        def work(connection: Connection) -> list[DataId]:
            database_id = database_id_of(connection, key)
            if visible is None:
                scopes = connection.execute(_SCOPES, {"database": database_id}).scalars().all()
            else:
                scopes = sorted(visible.scopes)
            search = _Search(connection, database_id, scopes, self._vocabularies)
            return search.run(question, limit, whole)

        return await self._database.snapshot(work) if question else []


@dataclass
class _Search:
    """One search of a database, on one connection.

    It reads words of the readers' scopes only. So neither what it finds nor how long it takes depends on others.
    """

    connection: Connection
    database_id: int
    scopes: Sequence[str]
    vocabularies: VocabularyCache
    _known: dict[_Pattern, tuple[frozenset[int], bool]] = field(default_factory=dict)

    def run(self, question: Sequence[Term], limit: int, whole: str) -> list[DataId]:
        """Return the images, the surest first."""
        patterns = [_begins(term) for term in question]
        found: dict[int, None] = dict.fromkeys(self._having_all(patterns, limit))
        if len(found) >= limit:
            # An image with this id, and those with the very words, come before newer images.
            exact = [_Pattern(frozenset({term.token})) for term in question]
            surest = dict.fromkeys([*self._with_id(whole, limit), *self._having_all(exact, limit)])
            found = surest | found
        for similar in (Vocabulary.mistyped, Vocabulary.distant):
            if not found:
                typed = zip(question[:MAX_WIDENED], patterns, strict=False)
                wider = [self._wider(term, pattern, similar) for term, pattern in typed]
                patterns = [*wider, *patterns[MAX_WIDENED:]]
                found |= dict.fromkeys(self._having_all(patterns, limit))
        if not found and len(question) > 1:
            found |= dict.fromkeys(self._having_most(patterns, limit))
        return self._data_ids(list(found)[:limit])

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return self.vocabularies.read(self.connection, self.database_id, self.scopes)

    def _with_id(self, whole: str, limit: int) -> list[int]:
        """Return the images that have the whole question as their id where the reader sees them."""
        try:
            key = EntityId(whole).key
        except InvalidInput:
            return []
        return self._having_all([_Pattern(frozenset({whole_id_token(key)}))], limit)

    def _wider(self, term: Term, pattern: _Pattern, similar: Callable[[Vocabulary, Term], SimilarWords]) -> _Pattern:
        """Return a pattern with similar words, if the reader finds nothing by the word itself."""
        found, _ = self._images(pattern)
        if found:
            return pattern
        words = similar(self._vocabulary, term)
        return _Pattern(words.words, None, words.scopes) if words.words else pattern

    def _having_all(self, patterns: Sequence[_Pattern], limit: int) -> list[int]:
        """Return images that have all of the words, newest first."""
        together: frozenset[int] | None = None
        frequent = []
        for pattern in patterns:
            found, is_complete = self._images(pattern)
            if not is_complete:
                frequent.append(pattern)
                continue
            together = found if together is None else together & found
            if not together:
                return []
        if together is not None:
            return self._tested(sorted(together, reverse=True), frequent, limit)
        # Of frequent words, the newest images usually have enough.
        place = {"database": self.database_id, "newest": NEWEST}
        lately = self._having(place, frequent, limit, are_newest=True)
        return sorted(lately, reverse=True) if len(lately) >= limit else self._having_frequent(frequent, limit)

    def _images(self, pattern: _Pattern) -> tuple[frozenset[int], bool]:
        """Return images that have a word, and whether these are all."""
        if pattern not in self._known:
            place = {"database": self.database_id, "most": RARE, **pattern.values(self.scopes)}
            rows: str | None = self.connection.execute(_SOME_ROWS[pattern.is_beginning], place).scalar()
            image_ids = [*map(int, rows.split(","))] if rows else []
            self._known[pattern] = frozenset(image_ids), len(image_ids) < RARE
        return self._known[pattern]

    def _tested(self, candidates: Sequence[int], patterns: Sequence[_Pattern], limit: int) -> list[int]:
        """Return the first candidates that have all of the words, as they are in order."""
        if not patterns:
            return list(candidates[:limit])
        found: list[int] = []
        for some in in_batches(candidates):
            found += self._having({"some": some}, patterns, limit - len(found), are_newest=False)
            if len(found) >= limit:
                break
        return found

    def _having(
        self, place: dict[str, Any], patterns: Sequence[_Pattern], limit: int, *, are_newest: bool
    ) -> list[int]:
        """Return the first of some images, by row id, that have all of the words."""
        values = place | {"most": limit}
        for number, pattern in enumerate(patterns):
            values |= {f"{name}_{number}": value for name, value in pattern.values(self.scopes).items()}
        query = _images_having(are_newest, tuple(pattern.is_beginning for pattern in patterns))
        return list(self.connection.execute(query, values).scalars())

    def _having_frequent(self, patterns: Sequence[_Pattern], limit: int) -> list[int]:
        """Return images that have all of some frequent words, newest first."""
        rows = [self._rows(pattern) for pattern in patterns]
        together = (intersect(*rows) if len(rows) > 1 else rows[0]).subquery()
        newest = select(together.c.image_id).distinct().order_by(together.c.image_id.desc()).limit(limit)
        return list(self.connection.execute(newest).scalars())

    def _rows(self, pattern: _Pattern) -> Select[tuple[int]]:
        return select(_WORDS.image_id).where(_WORDS.database_id == self.database_id, *self._has(pattern))

    def _has(self, pattern: _Pattern) -> list[ColumnElement[bool]]:
        values = pattern.values(self.scopes)
        seen = _WORDS.scope.in_(values["scopes"])
        if pattern.is_beginning:
            return [seen, _WORDS.word >= values["first"], _WORDS.word < values["last"]]
        return [seen, _WORDS.word.in_(values["words"])]

    def _having_most(self, patterns: Sequence[_Pattern], limit: int) -> list[int]:
        """Return images that have some of the words, those with most of them first."""
        having: dict[int, int] = {}
        for pattern in patterns:
            for image_id in self._having_all([pattern], limit):
                having[image_id] = having.get(image_id, 0) + 1
        return sorted(having, key=lambda image_id: -having[image_id])

    def _data_ids(self, image_ids: Sequence[int]) -> list[DataId]:
        data_ids: dict[int, DataId] = {}
        for some in in_batches(image_ids):
            data_ids.update((row.id, DataId(row.data_id)) for row in self.connection.execute(_DATA_IDS, {"some": some}))
        return [data_ids[image_id] for image_id in image_ids if image_id in data_ids]


def _begins(term: Term) -> _Pattern:
    return _Pattern(beginning=term.token) if term.may_continue else _Pattern(frozenset({term.token}))
