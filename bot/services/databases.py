"""Create, list and delete image databases."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import BackendLost, DatabaseExists, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, WorkspaceId
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
async def require_in_both(visual: VisualSearch, catalogue: Catalogue, key: DatabaseKey) -> AsyncIterator[None]:
    """Wrap a call to the back end, and raise BackendLost if only the catalogue has the database."""
    try:
        yield
    except UnknownDatabase as error:
        # Raises UnknownDatabase if the catalogue doesn't have the database either, such as after a concurrent deletion.
        await find_database(catalogue, key)
        if key.name in await visual.list_databases(key.workspace):
            # Somebody deleted the database during the call, and created another one of the same name.
            raise
        raise BackendLost(f"the back end has no database “{key.name}”, though the catalogue has") from error


OnProgress = Callable[[int, int], None]
"""Receives the number of images that are deleted, and the total."""

MAX_PAUSE_S = 0.1
PROGRESS_EVERY_S = 0.5
REMOVED_AT_ONCE = 50
"""Pictures that one claim removes."""


def _no_progress(_done: int, _total: int) -> None:
    """Ignore progress."""


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

    async def mark_deleted(self, key: DatabaseKey, mark: str = "") -> DatabaseInfo:
        """Delete a database for everybody, and return its last state. ``finish_deletions`` deletes its rows.

        Raises UnknownDatabase, and ChangedSince if images were added after a mark of the catalogue.
        """
        info = await self.find(key)
        async with self._storage.unit():
            # If the back end doesn't have the database, there is nothing to delete there.
            with contextlib.suppress(UnknownDatabase):
                await self._visual.delete_database(key)
            await self._storage.catalogue.delete_database(key, mark)
        return info

    async def finish_deletions(self, on_progress: OnProgress = _no_progress) -> None:
        """Delete the rows and pictures of deleted databases, in short transactions. Raises BackendError.

        If this is interrupted, any process that runs jobs finishes the work.
        """
        await finish_deletions(self._storage, on_progress)

    async def delete(self, key: DatabaseKey, mark: str = "", on_progress: OnProgress = _no_progress) -> DatabaseInfo:
        """Delete a database with all its images, and return its last state. Raises UnknownDatabase and ChangedSince.

        Others see nothing of it as soon as this has begun, and can create another one of the same name.
        """
        info = await self.mark_deleted(key, mark)
        await self.finish_deletions(on_progress)
        return info


async def remove_pictures(storage: Storage) -> None:
    """Remove stored pictures whose removal is due, until none is left or the store fails. Raises BackendError."""
    while await storage.pictures.remove_due(REMOVED_AT_ONCE):
        pass


async def finish_deletions(storage: Storage, on_progress: OnProgress = _no_progress) -> int:
    """Delete the rows and pictures of deleted databases, in short transactions. Return the number of batches.

    Raises BackendError.
    """
    total, batches, shown_at = await storage.deleted.remaining(), 0, 0.0
    began = time.monotonic()
    while await storage.deleted.purge_some():
        batches += 1
        now = time.monotonic()
        # Other processes poll for SQLite's lock, so leave them gaps as long as the batches.
        await asyncio.sleep(min(now - began, MAX_PAUSE_S))
        began = time.monotonic()
        if total and began - shown_at > PROGRESS_EVERY_S:
            shown_at, left = began, await storage.deleted.remaining()
            total = max(total, left)
            on_progress(total - left, total)
    await remove_pictures(storage)
    if batches:
        on_progress(total, total)
    await storage.deleted.scrub()
    return batches
