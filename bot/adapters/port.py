"""The port that every back end implements, ``VisualSearch``, and those that some back ends implement besides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bot.domain.catalogue import ScoreFit
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Matches
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.domain.pictures import Picture


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a back end supports.

    ``max_results`` is the greatest number of matches that it returns. ``needs_public_url`` says that it fetches
    pictures from this bot by URL.
    """

    name: str
    max_results: int
    deletes_single_images: bool
    needs_public_url: bool


class VisualSearch(Protocol):
    """Image databases that can be searched by picture.

    Every operation on a missing database raises UnknownDatabase. A failing back end raises BackendError.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this back end."""
        ...

    async def create_database(self, database: DatabaseKey) -> None:
        """Create an empty database. Raises DatabaseExists."""
        ...

    async def list_databases(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        ...

    async def delete_database(self, database: DatabaseKey) -> None:
        """Delete a database and all its images permanently."""
        ...

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture and return its data id.

        When this returns, the image survives a crash and searches find it. Adding the same picture again creates
        another image; only the catalogue refuses duplicates. Pass ``data_id`` to keep the id that another back end gave
        the image. If that id exists, nothing changes.
        """
        ...

    async def list_images(self, database: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of the database's images. Raises InvalidInput for an invalid page token."""
        ...

    async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
        """Delete the images of an entity, however it is written, or only ``data_id`` if the back end can.

        Returns how many were deleted.
        """
        ...

    async def rename_images(self, database: DatabaseKey, data_ids: Collection[DataId], entity: EntityId) -> int:
        """Give images another id, in the transaction of the unit. Returns how many of them the back end has.

        Back ends keep ids in our SQL database. One whose service stores them itself must map them there, as ``showapi``
        does: what can't be undone with the transaction can't be done here.
        """
        ...

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        """Return up to ``limit`` (1 to 1000) matches, best first, without the images in ``exclude``.

        Raises InvalidInput.
        """
        ...

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """Return the data ids of all images that the back end has. Reconciliation compares them with the catalogue."""
        ...

    async def ping(self) -> None:
        """Check that the back end is available. Raises BackendError."""
        ...


@runtime_checkable
class SelfCalibrating(Protocol):
    """A back end that fits the scores of a database to its own pictures as it grows."""

    async def self_calibrate(self, database: DatabaseKey) -> int | None:
        """Calibrate a database if it has doubled since the last time, and return its number of images.

        Returns None if nothing was due. A calibration that an operator made is never changed.
        """
        ...


@runtime_checkable
class FittedScores(Protocol):
    """A back end whose scores can be fitted to the pictures of a database."""

    async def score_fits(self, workspace: WorkspaceId) -> Mapping[DatabaseName, ScoreFit]:
        """Return which of the workspace's databases have fitted scores. The others have the default ones."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ImageToAdd:
    """A picture to add, with its id and note. ``data_id`` is the id that another back end gave the image, if any."""

    picture: Picture
    entity: EntityId
    note: Note
    data_id: DataId | None = None


@runtime_checkable
class BatchAdding(Protocol):
    """A back end that adds several pictures faster if it gets them together."""

    async def add_images(self, database: DatabaseKey, images: Sequence[ImageToAdd]) -> tuple[DataId, ...]:
        """Add pictures as ``add_image`` would in their order, all or none. Returns their data ids."""
        ...

    async def prepare_images(self, database: DatabaseKey, pictures: Sequence[Picture]) -> None:
        """Compute what adding these very pictures needs, ahead of time. Stores nothing. Raises ModelMismatch."""
        ...


@runtime_checkable
class CompletingPoints(Protocol):
    """A back end that computes points, by which searches recognise items, after an add has returned.

    Searches compute those that they need themselves, so their answers don't depend on it.
    """

    async def complete_points(self, limit: int) -> int:
        """Compute and store the points of up to ``limit`` images of any database. Returns how many."""
        ...

    async def pending_points(self) -> int:
        """Return how many images of all databases wait for their points."""
        ...


@runtime_checkable
class OrphanReporter(Protocol):
    """A back end that may keep orphans: images and databases that the catalogue doesn't know.

    ``keys`` are the catalogue's databases; what belongs to their images is no orphan. Databases of workspaces that
    begin with ``api:`` belong to API callers. They are no orphans either, though the catalogue doesn't list them.
    """

    async def describe_orphans(self, keys: Collection[DatabaseKey]) -> tuple[str, ...]:
        """Return one sentence for each orphan that this installation created."""
        ...

    async def delete_orphans(self, keys: Collection[DatabaseKey]) -> int:
        """Delete the orphans, and everything whose deletion is pending. Returns how many things were deleted."""
        ...
