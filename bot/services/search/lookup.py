"""Look pictures up for people in a workspace: choose the database, read each picture, search."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.domain.pictures import Picture
from bot.services.databases import find_database
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM, SearchResult, SearchService
from bot.storage.ports.catalogue import Catalogue

ReadPicture = Callable[[], Awaitable[Picture]]
"""Fetches and verifies one picture. Raises UserError."""


MAX_NAMED = 10
"""Databases that an error message lists."""


class NoDatabase(UserError):
    """The workspace has none yet."""

    def __init__(self) -> None:
        super().__init__("There's no image database yet. Create one first.")


class SeveralDatabases(UserError):
    """None was named, and there is more than one."""

    def __init__(self, databases: tuple[DatabaseInfo, ...]) -> None:
        names = [f"`in:{info.key.name}`" for info in databases[:MAX_NAMED]]
        more = ", …" if len(databases) > MAX_NAMED else ""
        super().__init__(f"Which database do you mean? Name one: {', '.join(names)}{more}.")
        self.databases = databases


@dataclass(frozen=True, slots=True)
class LookupResult:
    """One picture's answer: ``found``, or the sentence in ``problem`` that says why there is none."""

    name: str
    found: SearchResult | None = None
    problem: str = ""


async def choose_database(
    catalogue: Catalogue, workspace: WorkspaceId, named: DatabaseName | None = None
) -> DatabaseKey:
    """The database that is meant: the named one, or the only one.

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
    """What to say where a database has to be named."""
    databases = await catalogue.databases(workspace)
    return SeveralDatabases(databases) if databases else NoDatabase()


class LookupService:
    """One use case: pictures from anywhere to what is known of them."""

    def __init__(self, search: SearchService, catalogue: Catalogue, *, concurrency: int = 4) -> None:
        self._search = search
        self._catalogue = catalogue
        # Bounds the pictures held in memory, whatever is shared at the same moment.
        self._slots = asyncio.Semaphore(concurrency)

    async def databases(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """What can be searched, by name."""
        return await self._catalogue.databases(workspace)

    async def choose(self, workspace: WorkspaceId, named: DatabaseName | None = None) -> DatabaseKey:
        """The database that is meant. Raises UnknownDatabase, NoDatabase, SeveralDatabases."""
        return await choose_database(self._catalogue, workspace, named)

    async def look_up(
        self,
        key: DatabaseKey,
        pictures: Sequence[tuple[str, ReadPicture]],
        *,
        limit: int = DEFAULT_LIMIT,
        minimum: float = DEFAULT_MINIMUM,
    ) -> tuple[LookupResult, ...]:
        """An answer for each named picture, in order; one that can't be read spoils none of the others.

        Raises BackendError.
        """

        async def one(name: str, read: ReadPicture) -> LookupResult:
            async with self._slots:
                try:
                    picture = await read()
                    return LookupResult(name, await self._search.search(key, picture, limit=limit, minimum=minimum))
                except UserError as error:
                    return LookupResult(name, problem=str(error))

        # All are finished before an error is raised, so that none works on unattended.
        done = await asyncio.gather(*(one(name, read) for name, read in pictures), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        return tuple(outcome for outcome in done if isinstance(outcome, LookupResult))
