"""Look up pictures for people in a workspace: choose the database, read each picture, and search."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.domain.matches import Verdict
from bot.domain.pictures import Picture
from bot.images.memory import FairBudget
from bot.services.databases import find_database
from bot.services.search.all_databases import search_all
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM, SearchService
from bot.services.search.search_result import Readers, SearchResult
from bot.services.text.query_texts import PendingText
from bot.storage.ports.catalogue import Catalogue

RequestText = Callable[[DatabaseKey, Picture], Awaitable[PendingText | None]]
"""Begins to read the text of a query, after its answer. Returns None if there is nothing to wait for."""

ReadPicture = Callable[[], Awaitable[Picture]]
"""Fetches and verifies one picture. Raises UserError."""


MAX_SHARE = 0.75
"""Share of the slots that one workspace's pictures may hold."""

MAX_NAMED = 10
"""Maximum databases that an error message lists."""


async def _no_text(_key: DatabaseKey, _picture: Picture) -> None:
    """Read no text."""


class NoDatabase(UserError):
    """The workspace has no database yet."""

    def __init__(self) -> None:
        super().__init__("There's no image database yet. Create one first.")


class SeveralDatabases(UserError):
    """The request names no database, and the workspace has several."""

    def __init__(self, databases: tuple[DatabaseInfo, ...]) -> None:
        names = [f"`in:{info.key.name}`" for info in databases[:MAX_NAMED]]
        more = ", …" if len(databases) > MAX_NAMED else ""
        super().__init__(f"Which database do you mean? Name one: {', '.join(names)}{more}.")
        self.databases = databases


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The answer for one picture: ``found``, or a sentence in ``problem`` that says why the search failed.

    ``pending`` is the text of the picture if it is still being read. It may change the answer: see ``refine``.
    ``is_preview``: the picture is a preview of a file that can't be read itself. ``fingerprint`` is the picture's, or
    its digest if it has too little detail for one.
    """

    name: str
    found: SearchResult | None = None
    problem: str = ""
    pending: PendingText | None = None
    is_preview: bool = False
    fingerprint: bytes = b""


async def choose_database(
    catalogue: Catalogue, workspace: WorkspaceId, named: DatabaseName | None = None
) -> DatabaseKey:
    """Return the named database, or else the workspace's only one.

    Raises UnknownDatabase, NoDatabase, SeveralDatabases.
    """
    databases = await catalogue.databases(workspace)
    if not databases:
        raise NoDatabase
    if named is not None:
        return (await find_database(catalogue, DatabaseKey(workspace, named))).key
    if len(databases) > 1:
        raise SeveralDatabases(databases)
    return databases[0].key


async def no_unique_database(catalogue: Catalogue, workspace: WorkspaceId) -> NoDatabase | SeveralDatabases:
    """Return the error for a request that must name a database."""
    databases = await catalogue.databases(workspace)
    return SeveralDatabases(databases) if databases else NoDatabase()


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Where and how pictures are looked up.

    Attributes:
        keys: The databases.
        is_several: Whether the results of the databases are merged, even if there is only one.
        with_text: Whether the text of the picture takes part, as on an earlier page. None: if it is known.
    """

    keys: tuple[DatabaseKey, ...]
    is_several: bool = False
    with_text: bool | None = None

    @classmethod
    def of(cls, scope: SearchScope | DatabaseKey) -> SearchScope:
        """Return a scope, or that of a single database."""
        return cls((scope,)) if isinstance(scope, DatabaseKey) else scope


class LookupService:
    """Searches with several pictures and bounded concurrency."""

    def __init__(
        self, search: SearchService, catalogue: Catalogue, request_text: RequestText = _no_text, *, concurrency: int = 4
    ) -> None:
        self._search = search
        self._catalogue = catalogue
        self._request_text = request_text
        self._running, self._ended_at = 0, -math.inf
        # Limits the pictures in memory, however many are shared at the same time. One workspace leaves room for others.
        self._slots = FairBudget(concurrency, max_share=MAX_SHARE, max_wait_s=None)

    @property
    def is_busy(self) -> bool:
        """Whether lookups are running."""
        return self._running > 0

    @property
    def idle_s(self) -> float:
        """Seconds since the last lookup ended; 0 while one runs."""
        return 0.0 if self._running else time.monotonic() - self._ended_at

    @contextmanager
    def in_foreground(self) -> Iterator[None]:
        """Count as a lookup inside the context: what people wait for, and background work pauses for."""
        self._running += 1
        try:
            yield
        finally:
            self._running, self._ended_at = self._running - 1, time.monotonic()

    async def databases(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """Return the workspace's databases, ordered by name."""
        return await self._catalogue.databases(workspace)

    async def choose(self, workspace: WorkspaceId, named: DatabaseName | None = None) -> DatabaseKey:
        """Return the named or only database. Raises UnknownDatabase, NoDatabase, SeveralDatabases."""
        return await choose_database(self._catalogue, workspace, named)

    async def look_up(
        self,
        scope: SearchScope | DatabaseKey,
        pictures: Sequence[tuple[str, ReadPicture]],
        *,
        limit: int = DEFAULT_LIMIT,
        minimum: float = DEFAULT_MINIMUM,
        readers: Readers | None = None,
    ) -> tuple[LookupResult, ...]:
        """Return an answer for each (name, reader) pair, in order, with what its ``readers`` may see.

        A picture that can't be read gets a problem in its answer and doesn't affect the others. Raises BackendError.
        """
        scope = SearchScope.of(scope)

        async def one(name: str, read: ReadPicture) -> LookupResult:
            try:
                async with self._slots.reserve(1):
                    picture = await read()
                    if scope.with_text and (text := await self._pending_text(scope, picture)):
                        await text.wait()
                    found = await self._search_in(scope, picture, limit, minimum, readers)
                    is_open = scope.with_text is None
                    pending = await self._pending_text(scope, picture) if is_open else None
                    own = await asyncio.to_thread(_fingerprint, picture)
                    return LookupResult(name, found, pending=pending, is_preview=picture.is_preview, fingerprint=own)
            except UserError as error:
                return LookupResult(name, problem=str(error))

        # Wait for all before raising, so that no search keeps running in the background.
        with self.in_foreground():
            outcomes = await asyncio.gather(*(one(name, read) for name, read in pictures), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return tuple(outcome for outcome in outcomes if isinstance(outcome, LookupResult))

    async def refine(
        self,
        scope: SearchScope | DatabaseKey,
        results: Sequence[LookupResult],
        *,
        limit: int = DEFAULT_LIMIT,
        minimum: float = DEFAULT_MINIMUM,
        readers: Readers | None = None,
    ) -> tuple[LookupResult, ...] | None:
        """Wait for the texts of the pictures, and return new answers; None if the texts change nothing.

        The arguments are those of ``look_up``. Raises BackendError and UserError.
        """
        scope = SearchScope.of(scope)
        refined = [await self._refine(scope, result, limit, minimum, readers) for result in results]
        changed = any(_shown(new) != _shown(old) for new, old in zip(refined, results, strict=True))
        return tuple(refined) if changed else None

    async def _refine(
        self, scope: SearchScope, result: LookupResult, limit: int, minimum: float, readers: Readers | None
    ) -> LookupResult:
        if result.pending is None or not (await result.pending.wait()).lines:
            return result
        found = await self._search_in(scope, result.pending.picture, limit, minimum, readers)
        return replace(result, found=found, pending=None)

    async def _search_in(
        self, scope: SearchScope, picture: Picture, limit: int, minimum: float, readers: Readers | None
    ) -> SearchResult:
        async def one(key: DatabaseKey) -> SearchResult:
            uses_text = scope.with_text is not False
            return await self._search.search(
                key, picture, limit=limit, minimum=minimum, readers=readers, with_text=uses_text
            )

        return await (search_all(scope.keys, one) if scope.is_several else one(scope.keys[0]))

    async def _pending_text(self, scope: SearchScope, picture: Picture) -> PendingText | None:
        """Return the text of a picture that is being read, if it could change anything in one of the databases."""
        for key in scope.keys:
            if pending := await self._request_text(key, picture):
                return pending
        return None


def _fingerprint(picture: Picture) -> bytes:
    from bot.images.features import fingerprint  # noqa: PLC0415 - OpenCV, and “--help” imports this module

    return fingerprint.compute(picture) or bytes.fromhex(picture.digest)


def _shown(result: LookupResult) -> list[tuple[DataId, Verdict, float]]:
    """Return what readers see of the order of an answer."""
    matches = [] if result.found is None else [ranked.match for ranked in result.found.matches]
    return [(match.data_id, match.verdict, round(match.score, 1)) for match in matches]
