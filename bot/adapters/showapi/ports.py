"""Ports of the showapi back end: the ledger, pending deletions, and lending pictures to the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.catalogue import NewHostedImage
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.domain.pictures import Picture


class HostedDatabase(Protocol):
    """Where a database's images are at the service."""

    @property
    def upstream(self) -> str:
        """The name of the upstream database."""
        ...

    @property
    def prefix(self) -> str:
        """The prefix of the images' entities at the service. No other database has it."""
        ...


class PendingDeletion(Protocol):
    """An image to delete at the service or, with an empty ``entity``, a whole upstream database."""

    @property
    def id(self) -> int:
        """The row id of the pending deletion."""
        ...

    @property
    def upstream(self) -> str:
        """The name of the upstream database."""
        ...

    @property
    def entity(self) -> str:
        """The image's entity at the service, or an empty string."""
        ...


class Ledger(Protocol):
    """Our record of what the service holds.

    The service itself knows no workspaces, no fingerprints, and no entities with several images.

    An add is recorded before the service is called, and it is confirmed in the same transaction as the catalogue's
    entry. The next attempt resumes an unconfirmed add, or it is taken back. Methods that begin with “Immediately”
    commit on their own, even inside a unit. The others are part of the unit. Methods that “read committed data” ignore
    the unit's own writes. Unknown databases raise UnknownDatabase.
    """

    async def create_database(self, key: DatabaseKey, upstream: str, prefix: str) -> None:
        """Record a new database. Raises DatabaseExists."""
        ...

    async def database(self, key: DatabaseKey) -> HostedDatabase:
        """Return where a database's images are. Reads committed data."""
        ...

    async def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        ...

    async def delete_database(self, key: DatabaseKey, *, whole: bool) -> None:
        """Delete a database from the ledger and queue the deletions at the service.

        With ``whole``, the upstream database is deleted, otherwise each image.
        """
        ...

    async def begin_add(self, key: DatabaseKey, image: NewHostedImage) -> bool:
        """Immediately record that this process is about to send an image to the service.

        Returns False if the service may already have an image under this data id. That is the case if an earlier add
        was never confirmed, which the caller now has to finish, or if a deletion was pending, which is cancelled.
        Raises AlreadyAdded if the image is confirmed.
        """
        ...

    async def take_over_add(self, key: DatabaseKey, digest: str, entity: EntityId, note: Note) -> DataId | None:
        """Immediately take over an add of the same pixels that ended in doubt or whose process died.

        The image gets ``entity`` and ``note``, and the caller has to finish the add. Returns None if there is no such
        add.
        """
        ...

    async def confirm_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """Record that the service has the image. Searches find it once the unit is committed.

        A rollback queues its deletion. Raises BackendTimeout (inside a unit: at its end) if the add took so long that
        it was taken back.
        """
        ...

    async def mark_doubtful(self, key: DatabaseKey, data_id: DataId) -> None:
        """Immediately record that the service may or may not have the image.

        Nothing happens if the add is confirmed or its database was deleted.
        """
        ...

    async def abandon_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """Immediately record that the service certainly doesn't have the image. A confirmed image stays."""
        ...

    async def images(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, NewHostedImage]:
        """Return those of the images that are confirmed. Reads committed data."""
        ...

    async def has(self, key: DatabaseKey, data_id: DataId) -> bool:
        """Return whether the image is confirmed. Reads committed data."""
        ...

    async def unsettled_images(self, key: DatabaseKey) -> frozenset[DataId]:
        """Return the images whose add is begun or in doubt, or whose deletion is pending. Reads committed data."""
        ...

    async def fingerprints(
        self, key: DatabaseKey, younger_than: timedelta | None = None
    ) -> Sequence[tuple[DataId, str, bytes]]:
        """Return data id, digest and fingerprint of confirmed images, oldest first.

        ``younger_than`` limits them to recently added images.
        """
        ...

    async def is_upstream_used(self, upstream: str) -> bool:
        """Return whether any of our databases is stored in this upstream database. Reads committed data."""
        ...

    async def count(self, key: DatabaseKey) -> int:
        """Return the number of confirmed images."""
        ...

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of the confirmed images. Raises InvalidInput for an invalid page token."""
        ...

    async def rename_images(self, key: DatabaseKey, data_ids: Iterable[DataId], entity: EntityId) -> int:
        """Give confirmed images another id. Returns how many."""
        ...

    async def delete_images(self, key: DatabaseKey, entity: EntityId, data_id: DataId | None) -> int:
        """Delete the images of an entity, or only ``data_id``, and queue their deletion at the service.

        Returns how many confirmed images were deleted.
        """
        ...

    async def forget_missing(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> None:
        """Immediately remove images that the service doesn't have from the ledger."""
        ...

    async def after_commit(self, hook: CommitHook) -> None:
        """Run ``hook`` after the unit's commit, or now outside a unit."""
        ...

    async def after_rollback(self, hook: CommitHook) -> None:
        """Run ``hook`` if the unit is rolled back."""
        ...


class PendingDeletions(Protocol):
    """The deletions that are pending at the service, and what it may hold, for all workspaces."""

    async def queue_unconfirmed(self, before: datetime) -> int:
        """Queue the deletion of unconfirmed adds that began before ``before``. Returns how many."""
        ...

    async def due(self, limit: int) -> Sequence[PendingDeletion]:
        """Return up to ``limit`` deletions that are due, oldest first. Reads committed data."""
        ...

    async def mark_done(self, deletions: Iterable[int]) -> None:
        """Immediately remove deletions that the service has carried out."""
        ...

    async def postpone(self, deletions: Iterable[int], until: datetime) -> None:
        """Immediately postpone deletions that fail now."""
        ...

    async def retry_now(self) -> None:
        """Immediately make postponed deletions due."""
        ...

    async def databases(self) -> Sequence[HostedDatabase]:
        """Return where the images of all databases are."""
        ...

    async def expected_entities(self, upstream: str) -> frozenset[str]:
        """Return the entities of all our images that an upstream database may have.

        They include images whose add is not confirmed or whose deletion is pending.
        """
        ...

    async def databases_to_delete(self) -> frozenset[str]:
        """Return the upstream databases whose deletion is pending."""
        ...


class CommitHook(Protocol):
    """A function that runs after a unit's commit or rollback."""

    async def __call__(self) -> None:
        """Run the hook."""
        ...


class PictureLender(Protocol):
    """Lends pictures to the service: publishes them under short-lived links."""

    async def lend(self, picture: Picture) -> str:
        """Return an ASCII URL that serves the picture for five minutes, as a JPEG within the service's limits."""
        ...

    async def delete_expired(self) -> None:
        """Delete pictures whose links have expired."""
        ...
