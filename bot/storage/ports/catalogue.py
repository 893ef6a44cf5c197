"""The port of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, WorkspaceId
from bot.domain.pages import Page, PageRequest


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

    async def adopt(self, workspace: WorkspaceId, enterprise: str = "") -> None:
        """Remember a connected workspace; the only one gets what LOCAL holds (taken names stay behind)."""
        ...

    async def connected(self) -> tuple[tuple[WorkspaceId, str], ...]:
        """The workspaces that were connected, each with its Enterprise Grid organisation (empty: none)."""
        ...

    async def workspaces_of(self, enterprise: str) -> tuple[WorkspaceId, ...]:
        """The workspaces of an Enterprise Grid organisation that were connected."""
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

    async def set_hints(self, key: DatabaseKey, *, hints_at_hidden: bool) -> None:
        """Whether people learn that an image matched which they may not see."""
        ...

    async def with_digest(self, key: DatabaseKey, digest: str) -> ImageRecord | None:
        """The image with these pixels."""
        ...

    async def of_entity(self, key: DatabaseKey, entity: EntityId) -> tuple[ImageRecord, ...]:
        """The images of an entity, oldest first."""
        ...

    async def from_file(self, workspace: WorkspaceId, file_id: str) -> tuple[ImageRecord, ...]:
        """The images made of a Slack file, in any of the workspace's databases."""
        ...

    async def from_message(self, workspace: WorkspaceId, channel: str, message_ts: str) -> tuple[ImageRecord, ...]:
        """The images made of a message's files, in any of the workspace's databases."""
        ...

    async def added_before(self, moment: datetime, limit: int) -> tuple[ImageRecord, ...]:
        """Some of the images that are older, oldest first, in any workspace."""
        ...

    async def holds(self, workspace: WorkspaceId, digest: str) -> bool:
        """Whether any of the workspace's databases has the picture."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """No longer count the workspace as connected; its databases are deleted before."""
        ...
