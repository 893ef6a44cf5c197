"""The visual-search port: seven operations, an inventory and a ping, the same for every back end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Matches
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.domain.pictures import Picture


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What differs between back ends."""

    name: str
    max_results: int
    deletes_single_images: bool
    needs_public_url: bool


class VisualSearch(Protocol):
    """Image databases that can be searched by picture.

    Every operation on a database that is not there raises UnknownDatabase; a failing back end raises BackendError.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this back end can do."""
        ...

    async def create_database(self, database: DatabaseKey) -> None:
        """Make an empty database. Raises DatabaseExists."""
        ...

    async def list_databases(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """The workspace's databases, by name."""
        ...

    async def delete_database(self, database: DatabaseKey) -> None:
        """Forget a database and all its images; can't be undone."""
        ...

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture; when this returns, the add survives a crash and a search finds it.

        The same picture may be added twice: each add is an image of its own. Refusing doubles is the catalogue's.
        ``data_id``: the name that another back end gave the image, which it keeps here; one that is there already
        stays as it is.
        """
        ...

    async def list_images(self, database: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """A page of the database's images. Raises InvalidInput for a token that is not one of ours."""
        ...

    async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
        """Delete the entity's images (or the one named, where the back end can); how many went, 0 if none was there."""
        ...

    async def search(self, database: DatabaseKey, picture: Picture, limit: int = 10) -> Matches:
        """The most alike images, best first, at most ``limit`` (1 to 1000). Raises InvalidInput."""
        ...

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """The images that are really there, as the back end itself has them: what the catalogue is compared with."""
        ...

    async def ping(self) -> None:
        """Return if the back end can work. Raises BackendError."""
        ...


@runtime_checkable
class OrphanReporter(Protocol):
    """A back end at which more may lie than it lists, such as a service that forgets nothing when our ledger does.

    ``keys`` are the databases of the catalogue. Theirs is what belongs to an image of them; those of workspaces that
    begin with ``api:`` are somebody's too, though the catalogue has none of them.
    """

    async def describe_orphans(self, keys: Collection[DatabaseKey]) -> tuple[str, ...]:
        """A sentence for each thing there that we made and that belongs to nobody."""
        ...

    async def delete_orphans(self, keys: Collection[DatabaseKey]) -> int:
        """Delete these, and what waits to be deleted; how many went once this returns."""
        ...
