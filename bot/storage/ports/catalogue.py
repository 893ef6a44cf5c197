"""The port of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, WorkspaceId
from bot.domain.pages import Page, PageRequest


class Catalogue(Protocol):
    """The images, entities, notes and origins of all databases, for every back end.

    Methods with a DatabaseKey raise UnknownDatabase if there is no such database.
    """

    async def create_database(self, key: DatabaseKey, created_by: str = "") -> None:
        """Create a database. Raises DatabaseExists."""
        ...

    async def delete_database(self, key: DatabaseKey) -> None:
        """Delete a database and the records of its images."""
        ...

    async def databases(self, workspace: WorkspaceId) -> tuple[DatabaseInfo, ...]:
        """Return the workspace's databases with their sizes, by name."""
        ...

    async def database(self, key: DatabaseKey) -> DatabaseInfo:
        """Return a database with its size."""
        ...

    async def workspaces(self) -> tuple[WorkspaceId, ...]:
        """Return the workspaces that are connected or own a database."""
        ...

    async def record_workspace(self, workspace: WorkspaceId, enterprise: str = "") -> None:
        """Record a connected workspace.

        If it is the only one, it gets the databases of LOCAL_WORKSPACE, except those whose names it uses already.
        """
        ...

    async def connected(self) -> tuple[tuple[WorkspaceId, str], ...]:
        """Return the connected workspaces, each with its Enterprise Grid organisation (empty if it has none)."""
        ...

    async def workspaces_of(self, enterprise: str) -> tuple[WorkspaceId, ...]:
        """Return the connected workspaces of an Enterprise Grid organisation."""
        ...

    async def add(self, record: ImageRecord) -> None:
        """Record an image. Raises AlreadyAdded if the database has the same ``digest``; in a unit, at its end."""
        ...

    async def known_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> frozenset[str]:
        """Return those of the digests of original files from which the database has an image."""
        ...

    async def known_pictures(self, key: DatabaseKey, digests: Iterable[str]) -> Mapping[str, EntityId]:
        """Return the entities of the images with exactly these pixels, by digest."""
        ...

    async def records(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, ImageRecord]:
        """Return the records of these images. Unknown ids are left out."""
        ...

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ImageRecord]:
        """Return a page of records. Raises InvalidInput for a token of another listing."""
        ...

    async def remove(
        self, key: DatabaseKey, entity: EntityId, data_id: DataId | None = None
    ) -> tuple[ImageRecord, ...]:
        """Delete the records of an entity's images, or of one of them. Return the deleted records."""
        ...

    async def set_hints(self, key: DatabaseKey, *, hints_at_hidden: bool) -> None:
        """Set whether searchers are told that images which they may not see matched."""
        ...

    async def with_digest(self, key: DatabaseKey, digest: str) -> ImageRecord | None:
        """Return the image with exactly these pixels."""
        ...

    async def of_entity(self, key: DatabaseKey, entity: EntityId) -> tuple[ImageRecord, ...]:
        """Return the images of an entity, oldest first."""
        ...

    async def from_file(self, workspace: WorkspaceId, file_id: str) -> tuple[ImageRecord, ...]:
        """Return the images made from a Slack file, in all databases of the workspace."""
        ...

    async def from_message(self, workspace: WorkspaceId, channel: str, message_ts: str) -> tuple[ImageRecord, ...]:
        """Return the images made from a message's files, in all databases of the workspace."""
        ...

    async def added_before(self, moment: datetime, limit: int) -> tuple[ImageRecord, ...]:
        """Return up to ``limit`` images added before a moment, oldest first, in all workspaces."""
        ...

    async def holds(self, workspace: WorkspaceId, digest: str) -> bool:
        """Return whether any database of the workspace has the picture."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Record that a workspace is no longer connected. Its databases must have been deleted."""
        ...
