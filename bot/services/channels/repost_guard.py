"""Tell reposts in a guard channel, and add what is new."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from dataclasses import replace
from weakref import WeakValueDictionary

from bot.domain.errors import AlreadyAdded, BackendDown
from bot.domain.identifiers import DatabaseKey
from bot.domain.matches import Caveat
from bot.services.channels.collection import CollectService, SharedImage
from bot.services.search.search import SearchResult, SearchService

MATCHES_CHECKED = 50


class RepostGuard:
    """One use case: tell reposts and edited copies, and keep what is new."""

    def __init__(self, search: SearchService, collecting: CollectService) -> None:
        self._search = search
        self._collecting = collecting
        # Two copies that are shared at the same moment must not both be new.
        self._locks: MutableMapping[DatabaseKey, asyncio.Lock] = WeakValueDictionary()

    async def check(self, key: DatabaseKey, shared: SharedImage, minimum: float) -> SearchResult | None:
        """What the image repeats; None if it is new, and was added. Raises as ``collect`` does, but AlreadyAdded."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            found = await self._find_repost(key, shared, minimum)
            if found.matches:
                return found
            try:
                await self._collecting.collect(key, shared)
            except AlreadyAdded:
                # By another process, between our look and our add; or it is in its own message twice.
                found = await self._find_repost(key, shared, minimum)
                return found if found.matches else None
        return None

    async def _find_repost(self, key: DatabaseKey, shared: SharedImage, minimum: float) -> SearchResult:
        found = await self._search.search(key, shared.image.picture, limit=MATCHES_CHECKED, minimum=minimum)
        origin = shared.origin
        others = [
            ranked
            for ranked in found.matches
            # Its own message repeats nothing: another picture of it may just have been added, or this very one.
            if ranked.record is None
            or ranked.record.origin is None
            or (ranked.record.origin.channel, ranked.record.origin.message_ts) != (origin.channel, origin.message_ts)
        ]
        if not others and Caveat.SAME_IMAGES_ONLY in found.caveats:
            # An edited copy may be there all the same: what couldn't be looked for is not new.
            cause = found.cause or BackendDown("the back end can't be asked")
            raise type(cause)(f"whether the picture is new can't be known: {cause}") from cause
        matches = tuple(replace(ranked, rank=rank) for rank, ranked in enumerate(others, start=1))
        return replace(found, matches=matches)
