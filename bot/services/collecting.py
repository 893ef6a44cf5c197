"""Add what is shared in a channel: always (collect), or unless it was seen before (guard). Each share once."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from bot.errors import AlreadyAdded, BackendDown, BotError
from bot.models import Caveat, DatabaseKey, ImageRecord, SlackOrigin
from bot.services.add import AddService, NewImage
from bot.services.search import SearchResult, SearchService
from bot.storage.base import Storage

MATCHES_CHECKED = 50


class Withdrawn(BotError):
    """The file was deleted in Slack while it was being added; nothing was kept of it."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedImage:
    """A picture of a share: what is to be kept, and the job and file that it comes from."""

    image: NewImage
    origin: SlackOrigin
    job: int


class CollectService:
    """One use case: keep shared images, exactly once however often their job is run."""

    def __init__(self, adding: AddService, storage: Storage) -> None:
        self._adding = adding
        self._storage = storage

    async def collect(self, key: DatabaseKey, shared: SharedImage) -> ImageRecord:
        """Add the image. Raises AlreadyAdded, Withdrawn, UnknownDatabase and BackendError."""
        image = replace(shared.image, origin=shared.origin)
        try:
            async with self._storage.unit():
                [outcome] = await self._adding.add_all(key, [image])
                # Asked last, with the write lock held: a deletion is either seen here, or finds the image afterwards.
                if not await self._storage.inbox.is_wanted(shared.job, shared.origin.file_id):
                    raise Withdrawn(shared.origin.file_id)
        except AlreadyAdded as error:
            outcome = error
        except BotError:
            await self._storage.pictures.discard_unused([image.picture.digest])
            raise
        if isinstance(outcome, ImageRecord):
            return outcome
        there = await self._storage.catalogue.with_digest(key, image.picture.digest)
        if there is not None and _is_same_share(there, shared.origin):
            # An earlier attempt of this job added it, and died before it could say so.
            return there
        raise outcome


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


def _is_same_share(record: ImageRecord, origin: SlackOrigin) -> bool:
    known = record.origin
    return known is not None and (known.file_id, known.message_ts) == (origin.file_id, origin.message_ts)
