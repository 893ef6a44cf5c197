"""What everybody in some conversations may see of an entity: its pictures, notes, and where they were posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.catalogue import ImageRecord
from bot.domain.channels import Audience
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, EntityId
from bot.services.access.channel_access import ChannelDirectory
from bot.services.access.privacy import OriginCatalogue, PrivacyService

MAX_CHECKED = 200
"""Images of an entity whose visibility is checked, oldest first."""


@dataclass(frozen=True, slots=True)
class EntityView:
    """The visible images of an entity, oldest first. There is at least one."""

    database: DatabaseKey
    entity: EntityId
    images: tuple[ImageRecord, ...]

    @property
    def note(self) -> str:
        """The first note."""
        return next((str(image.note) for image in self.images if image.note), "")


class EntityViewService:
    """Reads entities for audiences."""

    def __init__(self, catalogue: OriginCatalogue, privacy: PrivacyService) -> None:
        self._catalogue = catalogue
        self._privacy = privacy

    async def view(
        self, key: DatabaseKey, entity: EntityId, audiences: Sequence[Audience], channels: ChannelDirectory
    ) -> EntityView | None:
        """Return what each of the audiences may see under an id; None if that is nothing."""
        try:
            records: Sequence[ImageRecord] = await self._catalogue.of_entity(key, entity, or_given=True)
        except UnknownDatabase:
            return None  # it was deleted after the link was made
        records = records[:MAX_CHECKED]
        for audience in audiences:
            shown = await self._privacy.shown(records, audience, channels)
            records = [shown[record.data_id] for record in records if record.data_id in shown]
        images = tuple(record for record in records if record.entity.is_same(entity))
        return EntityView(key, images[0].entity, images) if audiences and images else None
