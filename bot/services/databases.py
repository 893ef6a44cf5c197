"""Create, list and delete image databases."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import BackendLost, DatabaseExists, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, WorkspaceId
from bot.domain.pages import MAX_PAGE, PageRequest
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.storage import Storage


async def find_database(catalogue: Catalogue, key: DatabaseKey) -> DatabaseInfo:
    """Return the database. Raise UnknownDatabase with a similar name, if there is one."""
    try:
        return await catalogue.database(key)
    except UnknownDatabase:
        names = [info.key.name for info in await catalogue.databases(key.workspace)]
        near = difflib.get_close_matches(key.name, names, n=1)
        raise UnknownDatabase(key.name, near[0] if near else None) from None


@asynccontextmanager
async def require_in_both(catalogue: Catalogue, key: DatabaseKey) -> AsyncIterator[None]:
    """Wrap a call to the back end, and raise BackendLost if only the catalogue has the database."""
    try:
        yield
    except UnknownDatabase as error:
        # Raises UnknownDatabase if the catalogue doesn't have the database either, such as after a concurrent deletion.
        await find_database(catalogue, key)
        raise BackendLost(f"the back end has no database “{key.name}”, though the catalogue has") from error


class DatabaseService:
    """Creates, lists and deletes databases in the catalogue and the back end together."""

    def __init__(self, visual: VisualSearch, storage: Storage) -> None:
        self._visual = visual
        self._storage = storage

    async def create(self, key: DatabaseKey, created_by: str = "") -> DatabaseInfo:
        """Create an empty database. Raises DatabaseExists."""
        with contextlib.suppress(UnknownDatabase):
            # Check the catalogue first: a back end that lost the database would create it again.
            await self._storage.catalogue.database(key)
            raise DatabaseExists(key.name)
        async with self._storage.unit():
            # Call the back end first, so that the catalogue's transaction isn't open during a remote call.
            await self._visual.create_database(key)
            await self._storage.catalogue.create_database(key, created_by)
        return await self._storage.catalogue.database(key)

    async def all(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """Return the workspace's databases with their sizes, ordered by name."""
        return await self._storage.catalogue.databases(workspace)

    async def find(self, key: DatabaseKey) -> DatabaseInfo:
        """Return one database. Raises UnknownDatabase with a similar name, if there is one."""
        return await find_database(self._storage.catalogue, key)

    async def delete(self, key: DatabaseKey) -> DatabaseInfo:
        """Delete a database with all its images, and return its last state. Raises UnknownDatabase."""
        info = await self.find(key)
        digests = await self._digests(key)
        async with self._storage.unit():
            # If the back end doesn't have the database, there is nothing to delete there.
            with contextlib.suppress(UnknownDatabase):
                await self._visual.delete_database(key)
            await self._storage.catalogue.delete_database(key)
        await self._storage.pictures.discard_unused(digests)
        return info

    async def _digests(self, key: DatabaseKey) -> set[str]:
        digests: set[str] = set()
        request: PageRequest | None = PageRequest(limit=MAX_PAGE)
        while request:
            page = await self._storage.catalogue.page(key, request)
            digests.update(record.digest for record in page.items)
            request = PageRequest(limit=MAX_PAGE, token=page.token) if page.token else None
        return digests
