"""Compute pending points: those that a search needs at once, all others in the background."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Mapping, Sequence

from cachetools import LRUCache

from bot.adapters.embedded.store import VectorRows, VectorStore
from bot.images.features import pending_points
from bot.images.features.query_views import QueryRegion

KEPT = 500
"""Pictures whose points, computed by searches, are kept until they are saved: 8 MB."""


class PointCompletion:
    """Replaces pending points by point features, which an add leaves out because they take so long.

    A search has the same answer before and after. Threads may share it. Several processes may complete the same
    picture: the first to save wins.
    """

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._unsaved: LRUCache[int, bytes] = LRUCache(KEPT)
        self._lock = threading.Lock()
        self._after: int | None = None

    def features_of(self, rows: VectorRows, row_ids: Sequence[int], region: QueryRegion | None) -> Mapping[int, bytes]:
        """Return packed point features by row id, those that are pending too. Blocks while it computes them.

        They are computed in the threads of ``region``, and saved later: a search only reads.
        """
        found = dict(rows.point_features(row_ids))
        missing = [row_id for row_id in row_ids if row_id not in found]
        if not missing or not (pending := rows.pending_points(missing)):
            return found
        with self._lock:
            found |= {row_id: self._unsaved[row_id] for row_id in pending if row_id in self._unsaved}
        rest = {row_id: data for row_id, data in pending.items() if row_id not in found}
        packed = list(rest.values())
        features = (
            region.in_parallel(pending_points.complete, packed) if region else map(pending_points.complete, packed)
        )
        computed = dict(zip(rest, features, strict=True))
        with self._lock:
            self._unsaved.update(computed)
        return found | computed

    async def save(self) -> None:
        """Save the points that searches have computed. Raises BackendError."""
        with self._lock:
            computed = dict(self._unsaved)
        if computed:
            await self._store.write(lambda rows: rows.complete_points(computed))
            with self._lock:
                for row_id in computed:
                    self._unsaved.pop(row_id, None)

    async def complete_some(self, limit: int) -> int:
        """Compute and save up to ``limit`` pending points, in one thread. Returns how many. Raises BackendError."""
        await self.save()
        pending = await self._store.snapshot(lambda rows: self._next(rows, limit))
        if pending:
            computed = await asyncio.to_thread(
                lambda: {row_id: pending_points.complete(data) for row_id, data in pending.items()}
            )
            await self._store.write(lambda rows: rows.complete_points(computed))
        return len(pending)

    async def count(self) -> int:
        """Return how many pictures of all databases have pending points. Raises BackendError."""
        return await self._store.snapshot(lambda rows: rows.count_pending_points())

    def _next(self, rows: VectorRows, limit: int) -> Mapping[int, bytes]:
        """Return the next pending points. Each process begins somewhere else, so that they share the work."""
        if self._after is None:
            first = next(iter(rows.next_pending_points(0, 1)), 0)
            self._after = first + random.randrange(max(rows.count_pending_points(), 1))  # noqa: S311 - no secret
        found = rows.next_pending_points(self._after, limit) or rows.next_pending_points(0, limit)
        self._after = max(found, default=None)
        return found
