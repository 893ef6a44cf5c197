"""Remove images of deleted files and messages, old images, and all data of a workspace."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord, OriginScope
from bot.domain.errors import ChangedSince, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DataId, WorkspaceId
from bot.domain.jobs import Unsharing
from bot.services.databases import DatabaseService
from bot.services.images.deletion import DeleteService
from bot.storage.ports.storage import Storage

log = logging.getLogger(__name__)

MAX = 10_000
"""Images of one file that are considered when it is unshared."""

DELETE_BATCH = 200
"""Images read at a time. Each is deleted in its own transaction, to hold the write lock only briefly."""

MAX_FAILED = 1000
"""Images that can't be removed, after which a run stops. The next run tries them all again."""


class _Failures:
    """The images that could not be removed, and the first error."""

    def __init__(self) -> None:
        self.images: set[tuple[DatabaseKey, DataId]] = set()
        self._first: Exception | None = None

    @contextlib.contextmanager
    def recording(self, record: ImageRecord) -> Iterator[None]:
        """Record the error of a removal, and go on. It is none if another process has deleted the database."""
        identifier = (record.database, record.data_id)
        # Also if its database is deleted: the run would never end if the next batch had the image again.
        self.images.add(identifier)
        try:
            yield
            self.images.discard(identifier)
        except UnknownDatabase:
            return
        except Exception as error:  # noqa: BLE001 - one image may not stop the others, whatever is wrong with it
            log.warning("the image %s could not be removed: %s", record.data_id, error or type(error).__name__)
            self._first = self._first or error

    def raise_first(self) -> None:
        """Raise the first error, if there was one."""
        if self._first is not None:
            raise self._first


class RemovalService:
    """Removes data that was deleted in Slack or is past its retention. All methods are idempotent."""

    def __init__(
        self, visual: VisualSearch, storage: Storage, deletions: DeleteService, databases: DatabaseService
    ) -> None:
        self._visual = visual
        self._storage = storage
        self._deletions = deletions
        self._databases = databases

    async def remove_file(self, workspace: WorkspaceId, file_id: str) -> int:
        """Remove what came from a Slack file. Return how many images had no other origin. Raises BackendError."""
        # Withdraw the file from the inbox first: a job that is adding it right now has either committed, and the origin
        # is found below, or will see that the file was withdrawn.
        await self._storage.inbox.withdraw(workspace, file=file_id)
        await self._storage.reports.forget(workspace, file=file_id)
        await self._storage.labels.forget(workspace, file=file_id)
        return await self._remove_origins(OriginScope(workspace, file=file_id))

    async def remove_message(self, workspace: WorkspaceId, channel: str, message_ts: str) -> int:
        """Remove what came from a message. Return how many images had no other origin. Raises BackendError."""
        await self._storage.inbox.withdraw(workspace, channel=channel, message=message_ts)
        await self._storage.reports.forget(workspace, channel=channel, message=message_ts)
        await self._storage.labels.forget(workspace, channel=channel, message=message_ts)
        return await self._remove_origins(OriginScope(workspace, channel=channel, message=message_ts))

    async def remove_channel(self, workspace: WorkspaceId, channel: str) -> int:
        """Remove what came from a channel. Return how many images had no other origin. Raises BackendError."""
        await self._storage.inbox.withdraw(workspace, channel=channel, whole_channel=True)
        await self._storage.reports.forget(workspace, channel=channel)
        await self._storage.labels.forget(workspace, channel=channel)
        return await self._remove_origins(OriginScope(workspace, channel=channel))

    async def remove_unshared(self, job: int, workspace: WorkspaceId, unsharing: Unsharing) -> int:
        """Remove what came from messages that a job found to have lost a file.

        Return how many images had no other origin. Raises BackendError.
        """
        await self._storage.inbox.withdraw_unshared(job, workspace, unsharing)
        removed = 0
        file = unsharing.file
        for about in [report.about for report in await self._storage.reports.of_file(workspace, file)]:
            if unsharing.ends(about.channel, about.message):
                await self._storage.reports.forget(workspace, channel=about.channel, message=about.message, file=file)
        # Also those of a message that still has the file: it is asked again more easily than it is told apart.
        await self._storage.labels.forget(workspace, file=file, channel=unsharing.channel)
        for place, message in sorted(await self.shares_of(workspace, unsharing)):
            if unsharing.ends(place, message):
                removed += await self._remove_origins(OriginScope(workspace, file=file, channel=place, message=message))
        return removed

    async def shares_of(self, workspace: WorkspaceId, unsharing: Unsharing) -> frozenset[tuple[str, str]]:
        """Return the channels and messages that images came from, of those that an unsharing may be about."""
        # A workspace has one image of a picture in each database, so these are few.
        file, channel = unsharing.file, unsharing.channel
        records = await self._storage.catalogue.with_origins(OriginScope(workspace, file=file, channel=channel), MAX)
        return frozenset(
            (slack.channel, slack.message_ts)
            for record in records
            for origin in record.origins
            if (slack := origin.slack) and slack.file_id == file
        )

    async def remove_older_than(self, moment: datetime) -> int:
        """Remove origins older than ``moment``. Return how many images had no newer one. Raises BackendError."""
        return await self._remove_origins(OriginScope(None, before=moment))

    async def _remove_origins(self, scope: OriginScope) -> int:
        """Remove origins, and images with their last one. Return the number of these images.

        Images that can't be removed don't stop the others. Raises their first error at the end.
        """
        removed, failures = 0, _Failures()
        while len(failures.images) < MAX_FAILED:
            # Those that failed are still there.
            found = await self._storage.catalogue.with_origins(scope, DELETE_BATCH + len(failures.images))
            batch = [record for record in found if (record.database, record.data_id) not in failures.images]
            if not batch:
                break
            for record in batch:
                with failures.recording(record):
                    removed += await self._deletions.delete_origins(record, scope)
        await self._storage.deleted.scrub()
        failures.raise_first()
        return removed

    async def remove_workspace(self, workspace: WorkspaceId) -> int:
        """Remove all data of a workspace and return the number of images. Raises BackendError."""
        await self._storage.inbox.forget_workspace(workspace)
        # The operator's databases stay.
        await self._storage.excluded_pairs.forget_workspace(workspace)
        await self._storage.usage.forget_workspace(workspace)
        await self._storage.history.forget_workspace(workspace)
        removed, failures = 0, list[Exception]()
        for info in await self._storage.catalogue.databases(workspace):
            try:
                # Another process may have deleted or returned it.
                with contextlib.suppress(UnknownDatabase):
                    removed += await self._remove_database(info.key)
            except Exception as error:  # noqa: BLE001 - the other databases are removed first
                failures.append(error)
        if failures:
            raise failures[0]
        # An earlier attempt may have left databases in a back end that doesn't share the catalogue's transactions.
        for name in await self._visual.list_databases(workspace):
            with contextlib.suppress(UnknownDatabase):
                await self._visual.delete_database(DatabaseKey(workspace, name))
        await self._databases.finish_deletions()
        await self._storage.bindings.forget_workspace(workspace)
        await self._storage.home.forget_workspace(workspace)
        await self._storage.editors.forget_workspace(workspace)
        await self._storage.reports.forget(workspace)
        if stranded := await self._storage.thumbnails.abandon(workspace):
            log.warning("%d uploaded pictures stay in Slack, because the token of %s is gone", stranded, workspace)
        await self._storage.catalogue.forget_workspace(workspace)
        return removed

    async def _remove_database(self, key: DatabaseKey) -> int:
        """Delete a database; return one with the operator's images to the operator, without what came from Slack.

        Return how many images are gone. Raises UnknownDatabase and BackendError.
        """
        catalogue, removed = self._storage.catalogue, 0
        from_slack = OriginScope(key.workspace, database=key.name, from_slack=True)
        # Again, if an add that was under way has brought an image or an origin meanwhile.
        while True:
            mark = await catalogue.mark(key)
            if not await catalogue.has_operator_images(key):
                with contextlib.suppress(ChangedSince):
                    return removed + (await self._databases.mark_deleted(key, mark)).images
                continue
            removed += await self._remove_origins(from_slack)
            while await catalogue.forget_slack(key, DELETE_BATCH):
                pass
            revision = (await catalogue.database(key)).revision
            if not await catalogue.with_origins(from_slack, 1) and await catalogue.return_to_operator(key, revision):
                return removed
