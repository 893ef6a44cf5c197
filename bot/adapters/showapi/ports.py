"""What the back end needs of the house: a ledger of what it gave to the service, and a way to show it pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.catalogue import NewHostedImage
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.domain.pictures import Picture


class HostedDatabase(Protocol):
    """A database of ours, and where its images are at the service."""

    @property
    def upstream(self) -> str:
        """The service's database."""
        ...

    @property
    def prefix(self) -> str:
        """With which the names of its images (their entities at the service) begin; no other database has it."""
        ...


class PendingDeletion(Protocol):
    """Something that is to go from the service: an image, or with an empty ``entity`` a whole database."""

    @property
    def id(self) -> int:
        """Its row."""
        ...

    @property
    def upstream(self) -> str:
        """The service's database."""
        ...

    @property
    def entity(self) -> str:
        """The image's name there."""
        ...


class Ledger(Protocol):
    """What was given to the service, kept by us: it knows no team, no entity with several pictures, no fingerprint.

    An add is written down before the service hears of it and confirmed together with the catalogue; what was never
    confirmed is either found by the next attempt or taken back. A method “at once” commits on its own even inside a
    unit; the others are part of the unit. Unknown databases raise UnknownDatabase.
    """

    async def create_database(self, key: DatabaseKey, upstream: str, prefix: str) -> None:
        """Note a database. Raises DatabaseExists."""
        ...

    async def database(self, key: DatabaseKey) -> HostedDatabase:
        """Where its images are; what is committed is asked."""
        ...

    async def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """The workspace's databases, by name."""
        ...

    async def delete_database(self, key: DatabaseKey, *, whole: bool) -> None:
        """Forget a database; what is to go from the service becomes chores: the ``whole`` of its, or each image."""
        ...

    async def begin_add(self, key: DatabaseKey, image: NewHostedImage) -> bool:
        """At once: this image is about to be given to the service, by us.

        False if the service may have one under its name: an earlier add was never confirmed, and is ours to end now, or
        its deletion was still to be done, and no longer is. Raises AlreadyAdded if it is confirmed.
        """
        ...

    async def take_over_add(self, key: DatabaseKey, digest: str, entity: EntityId, note: Note) -> DataId | None:
        """At once: an image of these pixels whose add ended in doubt, or whose process died; it is ours to end now.

        It gets the entity and the note. None if there is none.
        """
        ...

    async def confirm_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """The service has it: from the end of the unit on it is found. Rolled back, it is to go again.

        Raises BackendTimeout (in a unit: at its end) if it took so long that the add was taken back.
        """
        ...

    async def mark_doubtful(self, key: DatabaseKey, data_id: DataId) -> None:
        """At once: the service may have it or not. Nothing happens if it is confirmed, or gone with its database."""
        ...

    async def abandon_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """At once: the service doesn't have it, for sure. As with ``mark_doubtful``, what is confirmed stays."""
        ...

    async def images(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, NewHostedImage]:
        """Those of the images that are confirmed; what is committed is asked."""
        ...

    async def has(self, key: DatabaseKey, data_id: DataId) -> bool:
        """Whether the image is confirmed; what is committed is asked."""
        ...

    async def unsettled_images(self, key: DatabaseKey) -> frozenset[DataId]:
        """The images that are coming or in doubt, and those that are going; what is committed is asked."""
        ...

    async def fingerprints(
        self, key: DatabaseKey, younger_than: timedelta | None = None
    ) -> Sequence[tuple[DataId, str, bytes]]:
        """Data id, digest and fingerprint of confirmed images (all, or young ones), oldest first."""
        ...

    async def is_upstream_used(self, upstream: str) -> bool:
        """Whether any database of ours has its images in this one of the service's; what is committed is asked."""
        ...

    async def count(self, key: DatabaseKey) -> int:
        """How many are confirmed."""
        ...

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """A page of the confirmed ones. Raises InvalidInput for a token that is not one of ours."""
        ...

    async def delete_images(self, key: DatabaseKey, entity: EntityId, data_id: DataId | None) -> int:
        """Forget an entity's images, or one, and make chores of them; how many confirmed ones went."""
        ...

    async def forget_missing(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> None:
        """At once: forget that the service has these, since it does not."""
        ...

    async def after_commit(self, hook: CommitHook) -> None:
        """Run ``hook`` once the unit is committed, at once outside of one."""
        ...

    async def after_rollback(self, hook: CommitHook) -> None:
        """Run ``hook`` if the unit is rolled back."""
        ...


class PendingDeletions(Protocol):
    """What is to go from the service, of all databases, and what it may have."""

    async def queue_unconfirmed(self, before: datetime) -> int:
        """Make chores of the adds that were begun earlier than that and never confirmed; how many."""
        ...

    async def due(self, limit: int) -> Sequence[PendingDeletion]:
        """Some that are due, oldest first; what is committed is asked."""
        ...

    async def mark_done(self, deletions: Iterable[int]) -> None:
        """At once: these have gone from the service."""
        ...

    async def postpone(self, deletions: Iterable[int], until: datetime) -> None:
        """At once: these can't be done now."""
        ...

    async def retry_now(self) -> None:
        """At once: what was put off is due."""
        ...

    async def databases(self) -> Sequence[HostedDatabase]:
        """Where the images of all databases are."""
        ...

    async def expected_entities(self, upstream: str) -> frozenset[str]:
        """All that one of the service's databases may have of us, by its name there: also what is coming or going."""
        ...

    async def databases_to_delete(self) -> frozenset[str]:
        """The service's databases that are to go as a whole."""
        ...


class CommitHook(Protocol):
    """What is to be done after a commit."""

    async def __call__(self) -> None:
        """Do it."""
        ...


class PictureLender(Protocol):
    """Shows pictures to the service."""

    async def lend(self, picture: Picture) -> str:
        """An address of plain ASCII from which it can be fetched for five minutes, as a JPEG inside its limits."""
        ...

    async def delete_expired(self) -> None:
        """Forget what was offered longer ago."""
        ...
