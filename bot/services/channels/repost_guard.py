"""Detect reposts in a guard channel, and add new images."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.domain.catalogue import ImageRecord, Origin, SlackOrigin
from bot.domain.channels import NO_RULES, GuardRules
from bot.domain.errors import AlreadyAdded, BackendDown
from bot.domain.identifiers import DatabaseKey
from bot.domain.matches import Caveat
from bot.services.channels.collection import CollectService, SharedImage
from bot.services.search.grouping import ranked
from bot.services.search.search import SearchService
from bot.services.search.search_result import Readers, SearchResult
from bot.storage.ports.storage import ProcessLocks

MATCHES_CHECKED = 50
"""Maximum matches that are compared with a shared image."""


class RepostGuard:
    """Finds reposts and edited copies of stored images, and adds images that are new."""

    def __init__(self, search: SearchService, collecting: CollectService, locks: ProcessLocks) -> None:
        self._search = search
        self._collecting = collecting
        self._locks = locks

    async def check(
        self,
        key: DatabaseKey,
        shared: SharedImage,
        minimum: float,
        readers: Readers | None = None,
        rules: GuardRules = NO_RULES,
    ) -> SearchResult | None:
        """Return the images that this one repeats, or None after adding a new image.

        Args:
            key: The database to search and to add to.
            shared: The image.
            minimum: Minimum score of a repost, from 0 to 10.
            readers: What the channel may see. Images that it can't see are no reposts to it.
            rules: The channel's rules.

        Raises the errors of ``CollectService.collect`` except AlreadyAdded.
        """
        # Without the lock, a picture and its copy that are shared at the same time could both count as new.
        async with self._locks.hold(f"guard:{key.workspace}/{key.name}"):
            found = await self._find_repost(key, shared, minimum, readers, rules)
            if found.matches:
                return found
            try:
                await self._collecting.collect(key, shared)
            except AlreadyAdded:
                # Another process added it after the search, or the message contains the same picture twice.
                found = await self._find_repost(key, shared, minimum, readers, rules)
                return found if found.matches else None
        return None

    async def _find_repost(
        self, key: DatabaseKey, shared: SharedImage, minimum: float, readers: Readers | None, rules: GuardRules
    ) -> SearchResult:
        found = await self._search.search(
            key, shared.image.picture, limit=MATCHES_CHECKED, minimum=minimum, readers=readers, by_entity=False
        )
        # Skip matches from this message alone: an earlier attempt may have added this picture or another one of it.
        others = [match for match in found.matches if not _is_from(match.record, shared.origin)]
        posting = posting_of(shared)
        counting = [match for match in others if _counts(match.record, posting, shared.origin, rules)]
        if not others and Caveat.SAME_IMAGES_ONLY in found.caveats:
            # Only identical images could be searched for, so an edited copy may exist. Don't add the image as new.
            cause = found.cause or BackendDown("the back end is unavailable")
            raise type(cause)(f"can't tell whether the picture is new: {cause}") from cause
        return replace(found, matches=ranked(counting))


def posting_of(shared: SharedImage) -> Origin:
    """Return who posted an image, and when."""
    [own] = replace(shared.image, origin=shared.origin, exported=()).origins_at(datetime.now(UTC))
    return own


def _counts(record: ImageRecord | None, posting: Origin, message: SlackOrigin, rules: GuardRules) -> bool:
    """Return whether the rules count any earlier posting of an image, as far as the channel may see them."""
    earlier = record.without_message(message) if record is not None else None
    return earlier is None or bool(rules.counting(posting, earlier.origins))


def _is_from(record: ImageRecord | None, message: SlackOrigin) -> bool:
    """Return whether an image came from this message and from nowhere else that the channel may see."""
    return record is not None and record.without_message(message) is None
