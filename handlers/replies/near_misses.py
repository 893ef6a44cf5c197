"""Find the id that a person probably meant, among those that they may know."""

from __future__ import annotations

from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import EntityId
from bot.services.images.listing import ListingService
from handlers.replies.presenter import AnswerPresenter, AnswerReader


async def nearest_entity(
    listings: ListingService, presenter: AnswerPresenter, reader: AnswerReader, info: DatabaseInfo, entity: EntityId
) -> str:
    """Return the most similar id of which the reader may see an image, or an empty string."""
    # All of them, since those of hidden images would crowd out the others.
    near = await listings.similar_entities(info, entity)
    shown = await presenter.shown(reader, [record for records in near.values() for record in records])
    seen = {record.entity.key: record.entity for record in shown.values()}
    return next((str(seen[key]) for key in near if key in seen), "")
