"""Record what people say about matches, and let databases learn from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from bot.domain.channels.feedback import LABELS_NEEDED, LEARN_AFTER, LearnedScores
from bot.domain.channels.reports import Label
from bot.domain.errors import UnknownDatabase, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName
from bot.services.feedback import learning
from bot.storage.ports.storage import Storage

log = logging.getLogger(__name__)


class FeedbackService:
    """Records labels, and fits a database's scores to them as they come."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def record(self, label: Label) -> None:
        """Record a label in place of the one that the person gave before. Raises UnknownDatabase."""
        await self._storage.feedback.record(label)
        if label.by_likeness:
            await self.learn(label.database)

    async def learn(self, key: DatabaseKey) -> bool:
        """Learn from the labels at each tenth, LABELS_NEEDED after somebody undid it. Return whether something changed.

        Raises UnknownDatabase.
        """
        count, newest = await self._storage.labels.count(key), await self._storage.learning.newest(key)
        known = newest.labels if newest is not None else 0
        wait = LABELS_NEEDED if newest is not None and newest.undone_by else LEARN_AFTER
        if count < LABELS_NEEDED or abs(count - known) < wait or count % LEARN_AFTER:
            return False
        model = await asyncio.to_thread(learning.fit, await self._storage.labels.of(key))
        before = await self.learned(key)
        if model is None and before is None:
            return False
        # Nothing if another process has learned meanwhile, or somebody has undone something.
        added = await self._storage.learning.add(key, model, count, newest.id if newest is not None else 0)
        if added:
            log.info("%s/%s learned its scores from %d labels", key.workspace, key.name, count)
        return added

    async def learned(self, key: DatabaseKey) -> LearnedScores | None:
        """Return what applies to a database now; None if its scores are the back end's. Raises UnknownDatabase."""
        current = await self._storage.learning.current(key)
        return current if current is not None and current.model is not None else None

    async def all_learned(self, keys: Iterable[DatabaseKey]) -> dict[DatabaseName, LearnedScores]:
        """Return what applies to each of the databases that learned something."""
        found: dict[DatabaseName, LearnedScores] = {}
        for key in keys:
            with suppress(UnknownDatabase):
                if (learned := await self.learned(key)) is not None:
                    found[key.name] = learned
        return found

    async def undo(self, key: DatabaseKey, learned: int, user: str = "") -> None:
        """Go back to the scores before. Raises UnknownDatabase, and UserError if somebody has done so already."""
        if not await self._storage.learning.undo(key, learned, user):
            raise UserError("Somebody has undone this already.")
