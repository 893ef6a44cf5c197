"""The storage ports: what services see of catalogue and pictures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from bot.conversations import ChannelBinding, InboxDepth, Job, NewJob, StoredShare
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

    async def ping(self) -> None:
        """Return if pictures can be kept and read. Raises BackendError."""
        ...


class ChannelBindings(Protocol):
    """What was set for channels."""

    async def get(self, workspace: WorkspaceId, channel: str) -> ChannelBinding | None:
        """What was set; None where nothing was (an offer alone is nothing)."""
        ...

    async def put(self, binding: ChannelBinding) -> None:
        """Set it, in place of what was. Raises UnknownDatabase."""
        ...

    async def all(self, workspace: WorkspaceId) -> tuple[ChannelBinding, ...]:
        """Those of a workspace, by channel. One whose database was deleted has None for it."""
        ...

    async def claim_offer(self, workspace: WorkspaceId, channel: str) -> bool:
        """True for the first caller: a channel is offered a database once."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Drop all of a workspace."""
        ...


class Inbox(Protocol):
    """Work that Slack delivered, kept until it is done; each piece goes to one worker at a time."""

    async def put(self, job: NewJob) -> bool:
        """Keep the job; when this returns it survives a crash. False if all its files were known already."""
        ...

    def arrivals(self) -> AsyncIterator[None]:
        """Goes on for ever; a turn of it says that some process has put something. It may be silent: ask too."""
        ...

    async def enter(self, owner: str) -> int:
        """An owner begins. What owners held that are known to have died is due now; how many jobs that are."""
        ...

    async def has_seen(self, job: NewJob) -> bool:
        """Whether all its files were put earlier, and not purged since."""
        ...

    async def is_waiting(self, job: NewJob) -> bool:
        """Whether nobody has taken it up yet, or anything else of its message."""
        ...

    async def claim(self, owner: str, limit: int, lease_s: float) -> tuple[Job, ...]:
        """Take up what is due, oldest first, and count an attempt. Without ``extend``, others may after the lease."""
        ...

    async def extend(self, owner: str, jobs: Sequence[int], lease_s: float) -> None:
        """Keep jobs for longer."""
        ...

    async def mark_answering(self, job: Job) -> bool:
        """An answer is about to be posted: whoever takes the job up again has to look whether it was.

        False if somebody has taken it up already, since this process was held up for longer than its lease.
        """
        ...

    async def finish(self, job: Job, *, failed: bool = False) -> None:
        """The job is done, or was given up; nothing happens if somebody else has taken it up since."""
        ...

    async def retry(self, job: Job, delay_s: float) -> None:
        """Let go of the job; it is due again after the delay. Nothing happens to one that is somebody else's by now."""
        ...

    async def release(self, owner: str) -> None:
        """Let go of all that this owner holds, without counting the attempt: it stops."""
        ...

    async def withdraw(self, workspace: WorkspaceId, *, file: str = "", channel: str = "", message: str = "") -> None:
        """The file (or the message) was deleted: nothing is to be made of it any more."""
        ...

    async def is_wanted(self, job: int, file: str) -> bool:
        """Whether the file of the job was not withdrawn; inside a unit, with the write lock held."""
        ...

    async def newest_share(self, workspace: WorkspaceId, channel: str) -> StoredShare | None:
        """The newest file that was shared in the channel and not withdrawn."""
        ...

    async def depth(self) -> InboxDepth:
        """What is not done yet."""
        ...

    async def purge(self, before: datetime) -> int:
        """Forget what was done earlier than that; how many jobs went."""
        ...

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Drop all jobs of a workspace but those of kind UNINSTALL that are under way."""
        ...


class Thumbnails(Protocol):
    """Pictures that the bot uploaded to Slack to show them, by workspace and digest."""

    async def get(self, workspace: WorkspaceId, digests: Iterable[str]) -> Mapping[str, str]:
        """Slack file ids by digest."""
        ...

    async def put(self, workspace: WorkspaceId, digest: str, file_id: str) -> None:
        """Remember an upload, in place of an earlier one."""
        ...

    async def unused(self, workspace: WorkspaceId, limit: int) -> Mapping[str, str]:
        """Some whose picture is in none of the workspace's databases any more."""
        ...

    async def remove(self, workspace: WorkspaceId, digests: Iterable[str]) -> None:
        """Forget uploads."""
        ...

    async def remove_files(self, workspace: WorkspaceId, file_ids: Iterable[str]) -> None:
        """Forget uploads that Slack no longer has."""
        ...


class RelayedPictures(Protocol):
    """Pictures for somebody outside to fetch, for minutes; any process on the same database serves them."""

    async def put(self, relay_id: str, jpeg: bytes, expires_at: datetime) -> None:
        """Keep a picture; when this returns, it can be fetched, even inside a unit."""
        ...

    async def get(self, relay_id: str) -> bytes:
        """The JPEG bytes. Raises KeyError for one that is not there, or has expired."""
        ...

    async def purge(self) -> None:
        """Drop what has expired."""
        ...


class Keyring(Protocol):
    """Random secrets that all processes on one database share."""

    async def key(self, name: str) -> bytes:
        """32 random bytes, made when first asked for."""
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

    @property
    def bindings(self) -> ChannelBindings:
        """What was set for channels."""
        ...

    @property
    def inbox(self) -> Inbox:
        """Work that waits."""
        ...

    @property
    def thumbnails(self) -> Thumbnails:
        """What was uploaded to Slack."""
        ...

    @property
    def keyring(self) -> Keyring:
        """Shared secrets."""
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
