"""Record what people say about matches, and let databases learn from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from cachetools import LRUCache

from bot.domain.channels.feedback import LABELS_NEEDED, LEARN_AFTER, LearnedScores
from bot.domain.channels.reports import Label
from bot.domain.errors import BackendError, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.services.feedback import learning
from bot.storage.ports.storage import Storage

log = logging.getLogger(__name__)

DATABASES_REMEMBERED = 1000


class FeedbackService:
    """Records labels, and fits a database's scores to them as they come."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tried: LRUCache[DatabaseKey, int] = LRUCache(DATABASES_REMEMBERED)
        """How many tens of labels databases had when they last tried to learn."""

    async def record(self, label: Label) -> None:
        """Record a label in place of the one that the person gave before. Raises UnknownDatabase.

        Nothing is recorded about a picture that was deleted in Slack.
        """
        async with self._storage.unit():
            # The deletion locks what it is about: it either sees the label, or is seen here.
            if await self._is_deleted(label):
                return
            await self._storage.feedback.record(label)
        if label.by_likeness:
            try:
                await self.learn(label.database)
            except BackendError as error:
                log.warning("nothing was learned, although a label was recorded: %s", error)

    async def _is_deleted(self, label: Label) -> bool:
        if not label.file and not label.channel:
            return False
        workspace = label.database.workspace
        return await self._storage.inbox.is_deleted(workspace, label.file, label.channel, label.message)

    async def learn(self, key: DatabaseKey) -> bool:
        """Learn from LABELS_NEEDED labels on, and again after each LEARN_AFTER. Return whether something changed.

        After somebody undid it, LABELS_NEEDED more are needed. Raises UnknownDatabase.
        """
        count, newest = await self._storage.labels.count(key), await self._storage.learning.newest(key)
        known = newest.labels if newest is not None else 0
        wait = LABELS_NEEDED if newest is not None and newest.undone_by else LEARN_AFTER
        tens = count // LEARN_AFTER
        if count < LABELS_NEEDED or abs(count - known) < wait or self._tried.get(key) == tens:
            return False
        self._tried[key] = tens
        model = await asyncio.to_thread(learning.fit, await self._storage.labels.of(key))
        before = await self.current(key)
        if model is None and (before is None or before.model is None):
            return False
        # Nothing if another process has learned meanwhile, or somebody has undone something.
        added = await self._storage.learning.add(key, model, count, newest.id if newest is not None else 0)
        if added:
            log.info("%s/%s learned its scores from %d labels", key.workspace, key.name, count)
        return added

    async def current(self, key: DatabaseKey) -> LearnedScores | None:
        """Return what a database learned last and nobody undid. Raises UnknownDatabase."""
        return await self._storage.learning.current(key)

    async def all_current(self, workspace: WorkspaceId) -> Mapping[DatabaseName, LearnedScores]:
        """Return the same for each database of a workspace that learned something."""
        return await self._storage.learning.all_current(workspace)

    async def undo(self, key: DatabaseKey, learned: int, user: str = "") -> None:
        """Go back to the scores before. Raises UnknownDatabase, and UserError if somebody has done so already."""
        if not await self._storage.learning.undo(key, learned, user):
            raise UserError("Somebody has undone this already.")
