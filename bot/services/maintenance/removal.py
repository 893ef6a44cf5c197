"""Remove images of deleted files and messages, old images, and all data of a workspace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime

from bot.adapters.port import VisualSearch
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import UnknownDatabase, UnknownEntity
from bot.domain.identifiers import DatabaseKey, WorkspaceId
from bot.domain.pages import Order, PageRequest
from bot.services.databases import DatabaseService
from bot.services.images.deletion import DeleteService
from bot.storage.ports.storage import Storage

DELETE_BATCH = 200
"""Images read at a time. Each is deleted in its own transaction, to hold the write lock only briefly."""


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
        """Remove all images of a Slack file and return their number. Raises BackendError."""
        # Withdraw the file from the inbox first: a job that is adding it right now has either committed, and the image
        # is found below, or will see that the file was withdrawn.
        await self._storage.inbox.withdraw(workspace, file=file_id)
        return await self._delete(await self._storage.catalogue.from_file(workspace, file_id))

    async def remove_message(self, workspace: WorkspaceId, channel: str, message_ts: str) -> int:
        """Remove all images of a message's files and return their number. Raises BackendError."""
        await self._storage.inbox.withdraw(workspace, channel=channel, message=message_ts)
        return await self._delete(await self._storage.catalogue.from_message(workspace, channel, message_ts))

    async def remove_older_than(self, moment: datetime) -> int:
        """Remove images added before ``moment`` and return their number. Raises BackendError."""
        removed, previous = 0, None
        while (batch := await self._storage.catalogue.added_before(moment, DELETE_BATCH)) and batch != previous:
            removed += await self._delete(batch)
            previous = batch
        return removed

    async def remove_workspace(self, workspace: WorkspaceId) -> int:
        """Remove all data of a workspace and return the number of images. Raises BackendError."""
        await self._storage.inbox.forget_workspace(workspace)
        removed = 0
        for info in await self._storage.catalogue.databases(workspace):
            removed += await self._remove_database(info.key)
        # An earlier attempt may have left databases in a back end that doesn't share the catalogue's transactions.
        for name in await self._visual.list_databases(workspace):
            with contextlib.suppress(UnknownDatabase):
                await self._visual.delete_database(DatabaseKey(workspace, name))
        await self._storage.bindings.forget_workspace(workspace)
        await self._remove_thumbnails(workspace)
        await self._storage.catalogue.forget_workspace(workspace)
        return removed

    async def _remove_database(self, key: DatabaseKey) -> int:
        """Delete a database's images in batches, then the database."""
        removed = 0
        request: PageRequest | None = PageRequest(limit=DELETE_BATCH, order=Order.OLDEST_FIRST)
        with contextlib.suppress(UnknownDatabase):
            while request:
                page = await self._storage.catalogue.page(key, request)
                removed += await self._delete(page.items)
                request = PageRequest(limit=DELETE_BATCH, order=request.order, token=page.token) if page.token else None
            removed += (await self._databases.delete(key)).images
        return removed

    async def _delete(self, records: Iterable[ImageRecord]) -> int:
        removed = 0
        for record in records:
            # Another process may have deleted the image or its database.
            with contextlib.suppress(UnknownEntity, UnknownDatabase):
                removed += (await self._deletions.delete(record.database, record.entity, record.data_id)).images
        return removed

    async def _remove_thumbnails(self, workspace: WorkspaceId) -> None:
        """Remove the records of thumbnails uploaded to Slack. The files stay in the workspace."""
        thumbnails, previous = self._storage.thumbnails, None
        while (unused := await thumbnails.unused(workspace, DELETE_BATCH)) and unused != previous:
            await thumbnails.remove(workspace, unused)
            previous = unused
