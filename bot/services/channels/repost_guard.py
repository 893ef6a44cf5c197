"""Detect reposts in a guard channel, and add new images."""

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
"""Maximum matches that are compared with a shared image."""


class RepostGuard:
    """Finds reposts and edited copies of stored images, and adds images that are new."""

    def __init__(self, search: SearchService, collecting: CollectService) -> None:
        self._search = search
        self._collecting = collecting
        # Without a lock for each database, two copies shared at the same time could both count as new.
        self._locks: MutableMapping[DatabaseKey, asyncio.Lock] = WeakValueDictionary()

    async def check(self, key: DatabaseKey, shared: SharedImage, minimum: float) -> SearchResult | None:
        """Return the images that this one repeats, or None after adding a new image.

        Args:
            key: The database to search and to add to.
            shared: The image.
            minimum: Minimum score of a repost, from 0 to 10.

        Raises the errors of ``CollectService.collect`` except AlreadyAdded.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            found = await self._find_repost(key, shared, minimum)
            if found.matches:
                return found
            try:
                await self._collecting.collect(key, shared)
            except AlreadyAdded:
                # Another process added it after the search, or the message contains the same picture twice.
                found = await self._find_repost(key, shared, minimum)
                return found if found.matches else None
        return None

    async def _find_repost(self, key: DatabaseKey, shared: SharedImage, minimum: float) -> SearchResult:
        found = await self._search.search(key, shared.image.picture, limit=MATCHES_CHECKED, minimum=minimum)
        origin = shared.origin
        others = [
            ranked
            for ranked in found.matches
            # Skip matches from the same message: an earlier attempt may have added this picture or another one of it.
            if ranked.record is None
            or ranked.record.origin is None
            or (ranked.record.origin.channel, ranked.record.origin.message_ts) != (origin.channel, origin.message_ts)
        ]
        if not others and Caveat.SAME_IMAGES_ONLY in found.caveats:
            # Only identical images could be searched for, so an edited copy may exist. Don't add the image as new.
            cause = found.cause or BackendDown("the back end is unavailable")
            raise type(cause)(f"can't tell whether the picture is new: {cause}") from cause
        matches = tuple(replace(ranked, rank=rank) for rank, ranked in enumerate(others, start=1))
        return replace(found, matches=matches)
