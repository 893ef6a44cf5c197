"""The port of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord, Origin, OriginScope, RemovedOrigins
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import Page, PageRequest


class Catalogue(Protocol):
    """The images, entities, notes and origins of all databases, for every back end.

    Methods with a DatabaseKey raise UnknownDatabase if there is no such database.
    """

    async def create_database(self, key: DatabaseKey, created_by: str = "") -> None:
        """Create a database. Raises DatabaseExists."""
        ...

    async def delete_database(self, key: DatabaseKey, mark: str = "") -> None:
        """Delete a database and the records of its images. Nobody sees them any more.

        Rows of a large database stay until ``DeletedDatabases.purge_some`` has deleted them. Raises ChangedSince if
        images were added after a mark.
        """
        ...

    async def mark(self, key: DatabaseKey) -> str:
        """Return a mark of the database's present images. A deletion with this mark leaves later images alone."""
        ...

    async def ids_of_entity(self, key: DatabaseKey, entity: EntityId, limit: int, mark: str = "") -> tuple[DataId, ...]:
        """Return the data ids of up to ``limit`` images of an entity, oldest first, up to a mark."""
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

    async def record_workspace(
        self, workspace: WorkspaceId, enterprise: str = "", *, adopts_local: bool = False
    ) -> None:
        """Record a connected workspace.

        With ``adopts_local``, it gets the databases of LOCAL_WORKSPACE if it is the only connected one, except those
        whose names it uses already.
        """
        ...

    async def give_local(self, name: DatabaseName, workspace: WorkspaceId) -> None:
        """Give a database of LOCAL_WORKSPACE to a workspace.

        Raises UnknownDatabase, and DatabaseExists if the workspace uses the name.
        """
        ...

    async def connected(self) -> tuple[tuple[WorkspaceId, str], ...]:
        """Return the connected workspaces, each with its Enterprise Grid organisation (empty if it has none)."""
        ...

    async def workspaces_of(self, enterprise: str) -> tuple[WorkspaceId, ...]:
        """Return the connected workspaces of an Enterprise Grid organisation."""
        ...

    async def add(self, *records: ImageRecord) -> None:
        """Record images of one database. Raises AlreadyAdded if it has the same ``digest``; in a unit, at its end."""
        ...

    async def add_origin(self, key: DatabaseKey, digest: str, origin: Origin) -> EntityId | None:
        """Add an origin to the image with exactly these pixels, unless it has this one.

        Return the image's entity; None if there is no such image.
        """
        ...

    async def remove_origins(self, key: DatabaseKey, data_id: DataId, scope: OriginScope) -> RemovedOrigins:
        """Take those of an image's origins away that are in the scope, and the image's record with the last one."""
        ...

    async def has_operator_images(self, key: DatabaseKey) -> bool:
        """Return whether the operator added an image to the database."""
        ...

    async def forget_slack(self, key: DatabaseKey, limit: int) -> int:
        """Take what came from Slack out of up to ``limit`` origins that the operator imported. Return how many.

        Their images stay. Those from closed conversations are hidden from everybody in Slack from then on.
        """
        ...

    async def return_to_operator(self, key: DatabaseKey, revision: int) -> DatabaseKey | None:
        """Make a database local again, and return its key. If its name is taken, the database gets a number.

        Return None, and do nothing, if the database has another revision, or anything that came from Slack. Raises
        UnknownDatabase.
        """
        ...

    async def with_origins(self, scope: OriginScope, limit: int) -> tuple[ImageRecord, ...]:
        """Return up to ``limit`` images that have an origin in the scope, oldest first, with all their origins."""
        ...

    async def imported_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> frozenset[str]:
        """Return those of the digests of original files from which the operator added an image to the database."""
        ...

    async def images_of_sources(self, key: DatabaseKey, source_digests: Iterable[str]) -> Mapping[str, ImageRecord]:
        """Return the images that were added from original files with these digests, by digest."""
        ...

    async def known_pictures(self, key: DatabaseKey, digests: Iterable[str]) -> Mapping[str, EntityId]:
        """Return the entities of the images with exactly these pixels, by digest."""
        ...

    async def records(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, ImageRecord]:
        """Return the records of these images. Unknown ids are left out."""
        ...

    async def origin_channels(self, key: DatabaseKey) -> tuple[tuple[str, ChannelKind], ...]:
        """Return the conversations that a database's images came from at some time, with the kinds they had.

        An empty id stands for images from no conversation.
        """
        ...

    async def count_hidden(self, key: DatabaseKey, visible: VisibleOrigins) -> int:
        """Return how many images of a database have no visible origin."""
        ...

    async def hidden_images(self, key: DatabaseKey, visible: VisibleOrigins, limit: int) -> frozenset[DataId]:
        """Return up to ``limit`` images of a database that have no visible origin."""
        ...

    async def page(
        self, key: DatabaseKey, request: PageRequest, visible: VisibleOrigins | None = None
    ) -> Page[ImageRecord]:
        """Return a page of records, with ``visible`` only of images that have such an origin.

        Raises InvalidInput for a token of another listing.
        """
        ...

    async def count_entities(self, key: DatabaseKey, prefix: str = "") -> int:
        """Return how many ids the images of a database have, or how many that begin with a prefix."""
        ...

    async def remove(
        self, key: DatabaseKey, entity: EntityId, data_id: DataId | None = None
    ) -> tuple[ImageRecord, ...]:
        """Delete the records of an entity's images, or of one of them. Return the deleted records."""
        ...

    async def spellings(self, key: DatabaseKey, entities: Iterable[EntityId]) -> Mapping[str, EntityId]:
        """Return how the database writes those of the ids that it has, by their keys."""
        ...

    async def rename(self, records: Iterable[ImageRecord], entity: EntityId) -> int:
        """Change the id that these records show, which are of one database, to one that a person chose.

        Those of their origins that gave it have the new one from then on, and the image if it was its id. Origins that
        a record leaves out keep what they gave. Return how many images are changed.
        """
        ...

    async def set_note(self, records: Iterable[ImageRecord], note: Note) -> int:
        """Give the origins of these records, which are of one database, a note. Return how many images have any."""
        ...

    async def set_hints(self, key: DatabaseKey, *, hints_at_hidden: bool) -> None:
        """Set whether searchers are told that images which they may not see matched."""
        ...

    async def set_link(self, key: DatabaseKey, template: str) -> None:
        """Set the template of the link for each id; empty for none."""
        ...

    async def with_digest(self, key: DatabaseKey, digest: str) -> ImageRecord | None:
        """Return the image with exactly these pixels."""
        ...

    async def of_entity(self, key: DatabaseKey, entity: EntityId, *, or_given: bool = False) -> tuple[ImageRecord, ...]:
        """Return the images of an entity, oldest first.

        With ``or_given``, also those that were given it at one of their origins.
        """
        ...

    async def holds(self, workspace: WorkspaceId, digest: str) -> bool:
        """Return whether any database of the workspace has the picture."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Record that a workspace is no longer connected. Its databases must have been deleted."""
        ...
