"""What catalogue and back end have of each database, side by side. Nothing is changed here."""

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
"""A picture back from the JPEG that is kept of it. Raises PictureRefused."""

OnImageSeen = Callable[[int], None]
"""Told how many images were dealt with since the last call."""

WORKERS = 4
CHECK_BATCH = 16


class DatabaseLocation(StrEnum):
    """Which side has a database."""

    BOTH = "both"
    CATALOGUE = "catalogue only"
    LOST = "lost by the back end"
    """The back end has it in its books and finds nothing of it where its images should be."""
    BACK_END = "back end only"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which databases are meant: one, or those of a workspace, or all."""

    workspace: WorkspaceId | None = None
    database: DatabaseKey | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.workspace is None and self.database is None


ALL_DATABASES = Scope()


@dataclass(frozen=True, slots=True)
class ComparedDatabase:
    """A database, which side has it, and how many images the catalogue knows."""

    key: DatabaseKey
    location: DatabaseLocation
    images: int = 0


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that can't be given to the back end, and the sentence that says why."""

    data_id: DataId
    entity: EntityId
    reason: str


@dataclass(frozen=True, slots=True)
class DatabaseDifference:
    """One database. ``missing``: known and not in the back end; ``orphans``: in the back end and not known.

    ``unreadable``: those of the missing that have no stored picture that can be read.
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
        """Whether there is nothing to mend."""
        return self.location is DatabaseLocation.BOTH and not self.missing and not self.orphans


class Comparer:
    """Looks at both sides."""

    def __init__(self, storage: Storage, visual: VisualSearch, decode: Decode) -> None:
        self._storage = storage
        self._visual = visual
        self._decode = decode
        self._listing = ListingService(storage.catalogue)

    async def workspaces(self, scope: Scope = ALL_DATABASES) -> list[WorkspaceId]:
        """Those in scope that the catalogue knows."""
        if scope.database is not None:
            return [scope.database.workspace]
        if scope.workspace is not None:
            return [scope.workspace]
        known = await self._storage.catalogue.workspaces()
        return [workspace for workspace in known if not workspace.startswith(API_WORKSPACE_PREFIX)]

    async def databases(self, scope: Scope) -> list[ComparedDatabase]:
        """The databases in scope, by workspace and name."""
        places: list[ComparedDatabase] = []
        for workspace in await self.workspaces(scope):
            held = await self._visual.list_databases(workspace)
            known = {info.key: info.images for info in await self._storage.catalogue.databases(workspace)}
            for key, images in known.items():
                places.append(
                    ComparedDatabase(
                        key, DatabaseLocation.BOTH if key.name in held else DatabaseLocation.CATALOGUE, images
                    )
                )
            strange = (DatabaseKey(workspace, name) for name in held)
            places += [ComparedDatabase(key, DatabaseLocation.BACK_END) for key in strange if key not in known]
        wanted = [place for place in places if scope.database in {None, place.key}]
        return sorted(wanted, key=lambda place: place.key)

    async def recorded(self) -> list[DatabaseKey]:
        """All databases of the catalogue."""
        catalogue = self._storage.catalogue
        return [info.key for workspace in await self.workspaces() for info in await catalogue.databases(workspace)]

    async def compare(self, place: ComparedDatabase) -> DatabaseDifference | None:
        """Both sides of a database; None if it was deleted meanwhile.

        The back end is asked first. What is added together on both sides while we look is then missing at worst, and
        giving the back end what it has changes nothing; it never looks like something that nobody knows.
        """
        key, presence = place.key, place.location
        held: frozenset[DataId] = frozenset()
        if presence is not DatabaseLocation.CATALOGUE:
            try:
                held = await self._visual.inventory(key)
            except BackendLost:
                presence = DatabaseLocation.LOST if presence is DatabaseLocation.BOTH else presence
            except UnknownDatabase:
                return None
        if presence is DatabaseLocation.BACK_END:
            return DatabaseDifference(key, presence, 0, len(held), orphans=tuple(sorted(held)))
        try:
            recorded = [record.data_id async for record in self._listing.everything(key)]
        except UnknownDatabase:
            return None
        missing = tuple(data_id for data_id in recorded if data_id not in held)
        orphans = tuple(sorted(held - set(recorded)))
        return DatabaseDifference(key, presence, len(recorded), len(held), missing, orphans)

    async def unreadable(
        self, finding: DatabaseDifference, seen: OnImageSeen, stop: asyncio.Event
    ) -> tuple[SkippedImage, ...]:
        """Those of the missing that can't be added again."""
        left_out: list[SkippedImage] = []
        for some in in_batches(finding.missing, CHECK_BATCH):
            if stop.is_set():
                break
            records = await self._storage.catalogue.records(finding.key, some)
            for record in records.values():
                picture = await self.load_picture(record)
                if isinstance(picture, SkippedImage):
                    left_out.append(picture)
            seen(len(some))
        return tuple(left_out)

    async def load_picture(self, record: ImageRecord) -> Picture | SkippedImage:
        """The picture that is kept of an image, or why there is none."""
        try:
            jpeg = await self._storage.pictures.get(record.digest)
            picture = await asyncio.to_thread(self._decode, jpeg)
            # It is that very picture, though what is kept of it was encoded once more.
            return replace(picture, digest=record.digest, source_digest=record.source_digest)
        except KeyError:
            return SkippedImage(record.data_id, record.entity, "Its stored picture is gone.")
        except UserError:
            return SkippedImage(record.data_id, record.entity, "Its stored picture can't be read.")


def in_batches(items: Iterable[DataId], size: int) -> Iterator[list[DataId]]:
    """A few at a time."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
