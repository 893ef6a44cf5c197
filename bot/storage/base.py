"""The storage ports: what services see of catalogue and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bot.models import DatabaseInfo, DatabaseKey, DataId, EntityId, ImageRecord, Page, PageRequest, WorkspaceId


class Catalogue(Protocol):
    """What we know of each image, for every back end. Unknown databases raise UnknownDatabase."""

    async def create_database(self, key: DatabaseKey, created_by: str = "") -> None:
        """Note a new database. Raises DatabaseExists."""
        ...

    async def delete_database(self, key: DatabaseKey) -> None:
        """Forget a database and its records."""
        ...

    async def databases(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """The workspace's databases with their sizes, by name."""
        ...

    async def database(self, key: DatabaseKey) -> DatabaseInfo:
        """One database."""
        ...

    async def workspaces(self) -> tuple[WorkspaceId, ...]:
        """The workspaces that were connected or own a database."""
        ...

    async def adopt(self, workspace: WorkspaceId) -> None:
        """Remember a connected workspace; the only one gets what LOCAL holds (taken names stay behind)."""
        ...

    async def add(self, record: ImageRecord) -> None:
        """Note an image. Raises AlreadyAdded (in a unit: at its end) if the database has the same ``digest``."""
        ...

    async def known_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> frozenset[str]:
        """Those of the digests from whose very bytes an image was made."""
        ...

    async def known_pictures(self, key: DatabaseKey, digests: Iterable[str]) -> Mapping[str, EntityId]:
        """The entities of the images with these pixels, by digest."""
        ...

    async def records(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, ImageRecord]:
        """What is known of these images; ids that are not there are left out."""
        ...

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ImageRecord]:
        """A page of records. Raises InvalidInput for a token that is not one of ours."""
        ...

    async def remove(
        self, key: DatabaseKey, entity: EntityId, data_id: DataId | None = None
    ) -> tuple[ImageRecord, ...]:
        """Forget an entity's images (or one of them); what went."""
        ...


class PictureStore(Protocol):
    """Normalised pictures, content-addressed: the name is the picture's ``digest``."""

    async def put(self, digest: str, jpeg: bytes) -> None:
        """Keep a picture; when this returns (in a unit: when that ends), it survives a crash.

        Keeping it again changes nothing.
        """
        ...

    async def put_all(self, jpegs: Mapping[str, bytes]) -> None:
        """Keep several, by digest."""
        ...

    async def get(self, digest: str) -> bytes:
        """The JPEG bytes. Raises KeyError."""
        ...

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those that no record in any database names any more."""
        ...


class Storage(Protocol):
    """One place of durable data: its ports, and transactions over them."""

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue."""
        ...

    @property
    def pictures(self) -> PictureStore:
        """The pictures."""
        ...

    def unit(self) -> AbstractAsyncContextManager[None]:
        """All writes awaited inside are one transaction, committed at the end; errors of theirs may show there."""
        ...

    async def ping(self) -> None:
        """Return if storage can be read and written. Raises BackendError."""
        ...

    async def close(self) -> None:
        """Let go of files and threads."""
        ...
