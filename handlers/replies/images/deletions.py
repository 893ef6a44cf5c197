"""Composes the question before images are deleted, and the reply afterwards."""

from __future__ import annotations

from bot.blocks.messages.notices import delete_question, deleted_reply
from bot.blocks.reply import Reply
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import UnknownEntity
from bot.domain.identifiers import DatabaseKey, EntityId
from bot.services.access.permissions import NotAllowed
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester


class DeletionComposer:
    """Asks before the images of an id are deleted, and deletes them."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def ask_to_delete(self, requester: Requester, key: DatabaseKey, entity: EntityId) -> Reply:
        """Return the question before an entity is deleted. Raises NotAllowed, UnknownEntity."""
        # Before the images are counted, so that no image is deleted that was not counted.
        mark = await self._dependencies.catalogue.mark((await self._dependencies.databases.find(key)).key)
        info, records = await self._deletable(requester, key, entity)
        return delete_question(info, entity, len(records), mark)

    async def delete(self, requester: Requester, key: DatabaseKey, entity: EntityId, mark: str = "") -> Reply:
        """Delete an entity's images, up to a mark of the catalogue. Raises NotAllowed, UnknownEntity."""
        _, records = await self._deletable(requester, key, entity)
        deletions, images = self._dependencies.deletions, 0
        if any(record.entity.is_same(entity) for record in records):
            images = (await deletions.delete(key, entity, mark=mark)).images
        for record in records:
            if not record.entity.is_same(entity):
                # The requester sees it under this id.
                images += (await deletions.delete(key, record.entity, record.data_id)).images
        await self._dependencies.uploads.sweep(requester.workspace, requester.client)
        return deleted_reply(key.name, entity, images)

    async def _deletable(
        self, requester: Requester, key: DatabaseKey, entity: EntityId
    ) -> tuple[DatabaseInfo, tuple[ImageRecord, ...]]:
        """Return the images that have the id, and those that the requester sees under it."""
        info = await self._dependencies.databases.find(key)
        try:
            found = await self._dependencies.listings.entity(key, entity)
        except UnknownEntity:
            raise await self._answers.unknown_entity(requester, info, entity) from None
        seen = {record.data_id for record in await self._answers.visible_as(requester, found, entity)}
        records = tuple(record for record in found if record.entity.is_same(entity) or record.data_id in seen)
        if not records:
            raise await self._answers.unknown_entity(requester, info, entity)
        try:
            await self._dependencies.permissions.check_delete_images(
                info, records, requester.user, self._answers.directory(requester)
            )
        except NotAllowed:
            if not seen:
                # The person may not even know that the entity exists.
                raise await self._answers.unknown_entity(requester, info, entity) from None
            raise
        return info, records
