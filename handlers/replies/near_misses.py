"""Find the id that a person probably meant, among those that they may know."""

from __future__ import annotations

import difflib
from collections import defaultdict

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import EntityId
from bot.domain.pages import Order
from bot.services.images.listing import ListingService
from handlers.replies.presenter import AnswerPresenter, AnswerReader

MAX_SCANNED = 2000
"""Images that are compared. Of a larger database, those whose ids start with the same letters."""

_SAME_START = 2
_CUTOFF = 0.75


async def nearest_entity(
    listings: ListingService, presenter: AnswerPresenter, reader: AnswerReader, info: DatabaseInfo, entity: EntityId
) -> str:
    """Return the most similar id of which the reader may see an image, or an empty string."""
    prefix = "" if info.images <= MAX_SCANNED else entity[:_SAME_START]
    images: dict[str, list[ImageRecord]] = defaultdict(list)
    scanned = 0
    async for record in listings.all_records(info.key, Order.NEWEST_FIRST, prefix):
        images[record.entity].append(record)
        scanned += 1
        if scanned == MAX_SCANNED:
            break
    # All of them, since those of hidden images would crowd out the others.
    near = difflib.get_close_matches(entity, images, n=max(1, len(images)), cutoff=_CUTOFF)
    shown = await presenter.shown(reader, [record for name in near for record in images[name]])
    return next((name for name in near if any(record.data_id in shown for record in images[name])), "")
