"""Compare each database in the catalogue with the same database in the back end, without changing either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import BackendLost, UnknownDatabase, UserError
from bot.domain.identifiers import API_WORKSPACE_PREFIX, DatabaseKey, DataId, EntityId, WorkspaceId
from bot.domain.pictures import Picture
from bot.services.images.listing import ListingService
from bot.storage.ports.storage import Storage

Decode = Callable[[bytes], Picture]
"""Decodes a stored JPEG. Raises PictureRefused."""

OnImageSeen = Callable[[int], None]
"""Receives the number of images processed since the last call."""

WORKERS = 4
CHECK_BATCH = 16
"""Images whose records are read together."""


class DatabaseLocation(StrEnum):
    """Where a database exists."""

    BOTH = "both"
    CATALOGUE = "catalogue only"
    LOST = "lost by the back end"
    """The back end lists the database, but its images are gone."""
    BACK_END = "back end only"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which databases to process: one, all of a workspace, or all."""

    workspace: WorkspaceId | None = None
    database: DatabaseKey | None = None

    @property
    def covers_all(self) -> bool:
        """Whether the scope covers all databases."""
        return self.workspace is None and self.database is None


ALL_DATABASES = Scope()


@dataclass(frozen=True, slots=True)
class ComparedDatabase:
    """A database, where it exists, and its number of images in the catalogue."""

    key: DatabaseKey
    location: DatabaseLocation
    images: int = 0


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that can't be added to the back end, and the reason for people."""

    data_id: DataId
    entity: EntityId
    reason: str


@dataclass(frozen=True, slots=True)
class DatabaseDifference:
    """How one database differs between the catalogue and the back end.

    Attributes:
        key: The database.
        location: Where it exists.
        recorded: Number of images in the catalogue.
        held: Number of images in the back end.
        missing: Images that only the catalogue has.
        orphans: Images that only the back end has.
        unreadable: Missing images whose stored picture is gone or can't be decoded.
    """

    key: DatabaseKey
    location: DatabaseLocation
    recorded: int
    held: int
    missing: tuple[DataId, ...] = ()
    orphans: tuple[DataId, ...] = ()
    unreadable: tuple[SkippedImage, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether both sides have the same images."""
        return self.location is DatabaseLocation.BOTH and not self.missing and not self.orphans


class Comparer:
    """Reads both sides."""

    def __init__(self, storage: Storage, visual: VisualSearch, decode: Decode) -> None:
        self._storage = storage
        self._visual = visual
        self._decode = decode
        self._listings = ListingService(storage.catalogue)

    async def workspaces(self, scope: Scope = ALL_DATABASES) -> list[WorkspaceId]:
        """Return the workspaces in scope, without those of `vsearch serve-api`."""
        if scope.database is not None:
            return [scope.database.workspace]
        if scope.workspace is not None:
            return [scope.workspace]
        known = await self._storage.catalogue.workspaces()
        return [workspace for workspace in known if not workspace.startswith(API_WORKSPACE_PREFIX)]

    async def databases(self, scope: Scope) -> list[ComparedDatabase]:
        """Return the databases in scope, ordered by workspace and name."""
        databases: list[ComparedDatabase] = []
        for workspace in await self.workspaces(scope):
            held = await self._visual.list_databases(workspace)
            known = {info.key: info.images for info in await self._storage.catalogue.databases(workspace)}
            for key, images in known.items():
                databases.append(
                    ComparedDatabase(
                        key, DatabaseLocation.BOTH if key.name in held else DatabaseLocation.CATALOGUE, images
                    )
                )
            backend_only = (DatabaseKey(workspace, name) for name in held)
            databases += [ComparedDatabase(key, DatabaseLocation.BACK_END) for key in backend_only if key not in known]
        wanted = [database for database in databases if scope.database in {None, database.key}]
        return sorted(wanted, key=lambda database: database.key)

    async def recorded(self) -> list[DatabaseKey]:
        """Return all databases of the catalogue."""
        catalogue = self._storage.catalogue
        return [info.key for workspace in await self.workspaces() for info in await catalogue.databases(workspace)]

    async def compare(self, database: ComparedDatabase) -> DatabaseDifference | None:
        """Compare both sides of a database. Return None if it was deleted in the meantime.

        This reads the back end before the catalogue. An image that is added to both in between then counts as
        missing, and adding it to the back end again changes nothing. In the other order it would count as an orphan.
        """
        key, location = database.key, database.location
        held: frozenset[DataId] = frozenset()
        if location is not DatabaseLocation.CATALOGUE:
            try:
                held = await self._visual.inventory(key)
            except BackendLost:
                location = DatabaseLocation.LOST if location is DatabaseLocation.BOTH else location
            except UnknownDatabase:
                return None
        if location is DatabaseLocation.BACK_END:
            return DatabaseDifference(key, location, 0, len(held), orphans=tuple(sorted(held)))
        try:
            recorded = [record.data_id async for record in self._listings.all_records(key)]
        except UnknownDatabase:
            return None
        missing = tuple(data_id for data_id in recorded if data_id not in held)
        orphans = tuple(sorted(held - set(recorded)))
        return DatabaseDifference(key, location, len(recorded), len(held), missing, orphans)

    async def unreadable(
        self, difference: DatabaseDifference, on_seen: OnImageSeen, stop: asyncio.Event
    ) -> tuple[SkippedImage, ...]:
        """Return the missing images whose stored picture can't be read."""
        skipped: list[SkippedImage] = []
        for batch in in_batches(difference.missing, CHECK_BATCH):
            if stop.is_set():
                break
            records = await self._storage.catalogue.records(difference.key, batch)
            for record in records.values():
                picture = await self.load_picture(record)
                if isinstance(picture, SkippedImage):
                    skipped.append(picture)
            on_seen(len(batch))
        return tuple(skipped)

    async def load_picture(self, record: ImageRecord) -> Picture | SkippedImage:
        """Return the stored picture of an image, or the reason why there is none."""
        try:
            jpeg = await self._storage.pictures.get(record.digest)
            picture = await asyncio.to_thread(self._decode, jpeg)
            # Keep the original digests: re-encoding as JPEG changed the bytes, but it is the same picture.
            return replace(picture, digest=record.digest, source_digest=record.source_digest)
        except KeyError:
            return SkippedImage(record.data_id, record.entity, "Its stored picture is gone.")
        except UserError:
            return SkippedImage(record.data_id, record.entity, "Its stored picture can't be read.")


def in_batches(items: Iterable[DataId], size: int) -> Iterator[list[DataId]]:
    """Split the items into lists of up to ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
