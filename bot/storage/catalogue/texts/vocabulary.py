"""The words that readers can find, in memory: to look up those meant by a word with a typing error or a part of one.

Every list has the words of one scope. So what a search takes, in time too, doesn't depend on words that are hidden from
its readers.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, func, select, text

from bot.domain.find_words import LEAST_INSIDE, WITH_DIGIT, Term
from bot.storage.sql.schema.tables import databases, origin_words

if TYPE_CHECKING:
    from bot.storage.catalogue.texts.word_list import WordList

MAX_WORDS = 1_000_000
"""Words with digits, and words without, of one scope. Further ones are found only as typed."""

MAX_NEW = 10_000
"""Rows that are read one by one to bring lists up to date. If there are more, the lists are read again."""

MAX_RECENT = 2000
"""New words of a scope that are kept beside its list. If there are more, it is read again."""

MAX_BYTES = 64 * 2**20
"""Memory for the lists of all databases."""

MAX_AGE_S = 600.0
"""After so long, a list of a database that has changed is read again, since it may have words that were deleted."""

MAX_IDLE_S = 24 * 3600.0
"""After so long without a search, a list is dropped. Its database may have been deleted."""

MAX_SIMILAR = 200
"""Words that stand for one of a question."""

_AFTER_DIGITS = chr(ord(WITH_DIGIT) + 1)
_LAST = "\U0010ffff"
_JOINED = {
    name: text(
        f"SELECT {joined} FROM (SELECT DISTINCT word FROM origin_words"  # noqa: S608 - constants
        " WHERE database_id = :database AND scope = :scope AND word >= :first AND word < :last"
        " ORDER BY word LIMIT :most) AS distinct_words"
    )
    for name, joined in (("sqlite", "group_concat(word, char(10))"), ("postgresql", "string_agg(word, chr(10))"))
}
_WORDS = origin_words.c
_STATE = select(
    select(databases.c.revision).where(databases.c.id == bindparam("database")).scalar_subquery(),
    select(func.coalesce(func.max(_WORDS.id), 0)).scalar_subquery(),
)
_NEW = (
    select(_WORDS.id, _WORDS.scope, _WORDS.word)
    .where(_WORDS.id > bindparam("after"), _WORDS.database_id == bindparam("database"), _WORDS.word >= WITH_DIGIT)
    .order_by(_WORDS.id)
    .limit(MAX_NEW + 1)
)


@dataclass(frozen=True, slots=True)
class SimilarWords:
    """Words that may be meant, and the scopes that have any of them."""

    words: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _ScopeWords:
    """The words of a scope: those that were read together, and those that came since then."""

    words: WordList
    until: int
    revision: int
    read_at: float
    recent: frozenset[str] = frozenset()
    recent_words: WordList | None = None

    @property
    def lists(self) -> Iterator[WordList]:
        yield self.words
        if self.recent_words is not None:
            yield self.recent_words

    @property
    def size(self) -> int:
        return sum(one.size for one in self.lists)


class Vocabulary:
    """What one search can find: the words of the scopes that its readers see."""

    def __init__(self, scopes: Mapping[str, _ScopeWords]) -> None:
        self._scopes = scopes

    def mistyped(self, term: Term) -> SimilarWords:
        """Return words that may be meant, and begin with one of the first two letters. Most errors leave one there."""
        return _nearest(one for one in self._mistyped(term) if one[1][0] in term.token[:2])

    def distant(self, term: Term) -> SimilarWords:
        """Return words that may be meant, and those that have the word inside."""
        found = [*self._mistyped(term)]
        if len(term.letters) >= LEAST_INSIDE:
            found += self._containing(term.letters)
        return _nearest(found)

    def _mistyped(self, term: Term) -> Iterator[tuple[int, str, str]]:
        for scope, words in self._scopes.items() if term.may_be_mistyped else ():
            for some in words.lists:
                yield from ((errors, word, scope) for word, errors in some.mistyped(term.token).items())

    def _containing(self, letters: str) -> Iterator[tuple[int, str, str]]:
        found: set[str] = set()
        for scope, words in self._scopes.items():
            for some in words.lists:
                for word in some.containing(letters):
                    found.add(word)
                    if len(found) > MAX_SIMILAR:
                        return
                    # After those with a typing error.
                    yield len(letters), word, scope


class VocabularyCache:
    """Keeps the words of scopes, and reads those that are new. Threads may use it at the same time."""

    def __init__(self, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, str], _ScopeWords] = OrderedDict()
        self._used_at: dict[tuple[int, str], float] = {}

    def read(self, connection: Connection, database_id: int, scopes: Collection[str]) -> Vocabulary:
        """Return the words of a database's scopes, in the connection's snapshot or a later one."""
        revision, newest = connection.execute(_STATE, {"database": database_id}).one()
        with self._lock:
            kept = {scope: self._kept.get((database_id, scope)) for scope in sorted(scopes)}
        usable = {
            scope: words
            for scope, words in kept.items()
            if words and (words.revision == revision or self._clock() - words.read_at < MAX_AGE_S)
        }
        usable = _brought_up_to_date(connection, database_id, usable, newest)
        found = {
            scope: usable.get(scope) or self._read(connection, database_id, scope, newest, revision) for scope in kept
        }
        self._keep(database_id, found)
        return Vocabulary(found)

    def _read(self, connection: Connection, database_id: int, scope: str, newest: int, revision: int) -> _ScopeWords:
        from bot.storage.catalogue.texts.word_list import WordList  # noqa: PLC0415 - numpy, which few processes need

        def joined(first: str, last: str) -> str:
            place = {"database": database_id, "scope": scope, "first": first, "last": last, "most": MAX_WORDS}
            return connection.execute(_JOINED[connection.dialect.name], place).scalar() or ""

        words = WordList(joined(_AFTER_DIGITS, _LAST), joined(WITH_DIGIT, _AFTER_DIGITS))
        return _ScopeWords(words, newest, revision, self._clock())

    def _keep(self, database_id: int, found: Mapping[str, _ScopeWords]) -> None:
        with self._lock:
            now = self._clock()
            for scope, words in found.items():
                self._kept[database_id, scope] = words
                self._kept.move_to_end((database_id, scope))
                self._used_at[database_id, scope] = now
            size = sum(words.size for words in self._kept.values())
            while self._kept and (size > self._max_bytes or now - self._used_at[next(iter(self._kept))] > MAX_IDLE_S):
                oldest, words = self._kept.popitem(last=False)
                del self._used_at[oldest]
                size -= words.size


def _brought_up_to_date(
    connection: Connection, database_id: int, kept: Mapping[str, _ScopeWords], newest: int
) -> dict[str, _ScopeWords]:
    """Return lists with the words that are new; without those that have to be read again."""
    after = min((words.until for words in kept.values()), default=newest)
    if after >= newest:
        return dict(kept)
    rows = connection.execute(_NEW, {"after": after, "database": database_id}).all()
    if len(rows) > MAX_NEW:
        return {scope: words for scope, words in kept.items() if words.until >= newest}
    by_scope: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        by_scope.setdefault(row.scope, []).append((row.id, row.word))
    later = {scope: _with_new(words, by_scope.get(scope, ()), newest) for scope, words in kept.items()}
    return {scope: words for scope, words in later.items() if len(words.recent) <= MAX_RECENT}


def _with_new(words: _ScopeWords, rows: Sequence[tuple[int, str]], newest: int) -> _ScopeWords:
    from bot.storage.catalogue.texts.word_list import WordList  # noqa: PLC0415 - numpy, as above

    recent = words.recent.union(word for row_id, word in rows if row_id > words.until)
    added = words.recent_words if recent == words.recent else WordList.of(recent)
    return _ScopeWords(words.words, max(words.until, newest), words.revision, words.read_at, recent, added)


def _nearest(found: Iterable[tuple[int, str, str]]) -> SimilarWords:
    """Return the words with the fewest errors."""
    every = sorted(found)
    nearest = dict.fromkeys(word for _, word, _ in every)
    words = frozenset(list(nearest)[:MAX_SIMILAR])
    return SimilarWords(words, frozenset(scope for _, word, scope in every if word in words))
