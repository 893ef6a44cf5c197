"""Forget images: those of a deleted file or message, those that are too old, and a whole workspace."""

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
"""Images looked up at a time. Each is deleted on its own: nobody else waits long for the write lock."""


class ForgetService:
    """One use case: what is gone in Slack, or was kept long enough, goes here too. Every method may be called again."""

    def __init__(
        self, visual: VisualSearch, storage: Storage, deleting: DeleteService, databases: DatabaseService
    ) -> None:
        self._visual = visual
        self._storage = storage
        self._deleting = deleting
        self._databases = databases

    async def file(self, workspace: WorkspaceId, file_id: str) -> int:
        """Forget what was made of a Slack file; how many images went. Raises BackendError."""
        # The inbox first: whoever adds the file right now either has done so, and it is found below, or won't.
        await self._storage.inbox.withdraw(workspace, file=file_id)
        return await self._delete(await self._storage.catalogue.from_file(workspace, file_id))

    async def message(self, workspace: WorkspaceId, channel: str, message_ts: str) -> int:
        """Forget what was made of a message's files; how many images went. Raises BackendError."""
        await self._storage.inbox.withdraw(workspace, channel=channel, message=message_ts)
        return await self._delete(await self._storage.catalogue.from_message(workspace, channel, message_ts))

    async def older_than(self, moment: datetime) -> int:
        """Forget the images that were added before; how many went. Raises BackendError."""
        gone, before = 0, None
        while (group := await self._storage.catalogue.added_before(moment, DELETE_BATCH)) and group != before:
            gone += await self._delete(group)
            before = group
        return gone

    async def workspace(self, workspace: WorkspaceId) -> int:
        """Forget all that was kept of a workspace; how many images went. Raises BackendError."""
        await self._storage.inbox.forget_workspace(workspace)
        gone = 0
        for info in await self._storage.catalogue.databases(workspace):
            gone += await self._database(info.key)
        # What an earlier attempt left behind in a back end that keeps no transaction with the catalogue.
        for name in await self._visual.list_databases(workspace):
            with contextlib.suppress(UnknownDatabase):
                await self._visual.delete_database(DatabaseKey(workspace, name))
        await self._storage.bindings.forget_workspace(workspace)
        await self._thumbnails(workspace)
        await self._storage.catalogue.forget_workspace(workspace)
        return gone

    async def _database(self, key: DatabaseKey) -> int:
        """Empty a database in groups, then delete it."""
        gone = 0
        request: PageRequest | None = PageRequest(limit=DELETE_BATCH, order=Order.OLDEST_FIRST)
        with contextlib.suppress(UnknownDatabase):
            while request:
                page = await self._storage.catalogue.page(key, request)
                gone += await self._delete(page.items)
                request = PageRequest(limit=DELETE_BATCH, order=request.order, token=page.token) if page.token else None
            gone += (await self._databases.delete(key)).images
        return gone

    async def _delete(self, records: Iterable[ImageRecord]) -> int:
        gone = 0
        for record in records:
            # Somebody may have been quicker, with the image or with its database.
            with contextlib.suppress(UnknownEntity, UnknownDatabase):
                gone += (await self._deleting.delete(record.database, record.entity, record.data_id)).images
        return gone

    async def _thumbnails(self, workspace: WorkspaceId) -> None:
        """Forget what was uploaded to Slack; the files themselves are the workspace's now."""
        thumbnails, before = self._storage.thumbnails, None
        while (unused := await thumbnails.unused(workspace, DELETE_BATCH)) and unused != before:
            await thumbnails.remove(workspace, unused)
            before = unused
