"""Composes the replies to corrections: other ids, other notes, and the deletion of one image of several."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks.button_state import MergeState
from bot.blocks.listing_forms import EditedImage
from bot.blocks.messages.combination import joined
from bot.blocks.messages.corrections import image_deleted_reply, merge_question, note_reply, renamed_reply
from bot.blocks.messages.image_details import NO_PICTURE
from bot.blocks.reply import Reply, notice
from bot.blocks.wording.images import NOTHING_CHANGED
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester

log = logging.getLogger(__name__)

PICTURE_TIMEOUT_S = 1.2
"""Slack takes a form for three seconds after the button was pressed, with its picture or without."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person wants to change: the id and note of an image, or of all images with its id. None keeps a value."""

    entity: EntityId | None = None
    note: Note | None = None
    whole_entity: bool = False


@dataclass(frozen=True, slots=True)
class _Images:
    """Images that the person may change: all of each, and what they may see of it."""

    info: DatabaseInfo
    entity: EntityId
    records: tuple[ImageRecord, ...]
    shown: tuple[ImageRecord, ...]


class CorrectionComposer:
    """Runs corrections and renders their results. Nobody changes an image that they can't see."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def rename(
        self, requester: Requester, key: DatabaseKey, entity: EntityId, new: EntityId, *, merge: bool = False
    ) -> Reply:
        """Give an entity another id. Unless told to ``merge``, ask first if images that the person sees have it.

        Raises UnknownEntity, NotAllowed.
        """
        return await self._rename(requester, await self._of_entity(requester, key, entity), new, merge=merge)

    async def set_note(self, requester: Requester, key: DatabaseKey, entity: EntityId, note: Note) -> Reply:
        """Replace the notes of an entity's images, as far as the person sees them. Raises UnknownEntity, NotAllowed."""
        return await self._set_note(await self._of_entity(requester, key, entity), note)

    async def edit(self, requester: Requester, key: DatabaseKey, data_id: DataId, wanted: Correction) -> Reply:
        """Change an image, or all images with its id. Raises UserError."""
        images = await self._image(requester, key, data_id)
        respelled = wanted.entity is not None and wanted.entity.is_same(images.entity)
        if wanted.whole_entity or (respelled and wanted.entity != images.entity):
            # One id has one spelling.
            images = await self._of_entity(requester, key, images.entity)
        replies: list[Reply] = []
        if wanted.note is not None and any(record.note != wanted.note for record in images.shown):
            replies.append(await self._set_note(images, wanted.note))
        if wanted.entity is not None and wanted.entity != images.entity:
            # To move one image to another id is no accident.
            merge = respelled or not wanted.whole_entity
            replies.append(await self._rename(requester, images, wanted.entity, merge=merge))
        return joined(replies) if replies else notice(NOTHING_CHANGED)

    async def delete_image(self, requester: Requester, key: DatabaseKey, data_id: DataId) -> Reply:
        """Delete one image. Raises UserError."""
        images = await self._image(requester, key, data_id)
        # The person may see it under an id that is not the image's own.
        await self._dependencies.deletions.delete(key, images.records[0].entity, data_id)
        await self._dependencies.uploads.sweep(requester.workspace, requester.client)
        return image_deleted_reply(key.name, images.entity)

    async def changeable_image(self, requester: Requester, key: DatabaseKey, data_id: DataId) -> ImageRecord:
        """Return an image that the person may change, as they see it. Raises UserError."""
        return (await self._image(requester, key, data_id)).shown[0]

    async def edited_image(self, requester: Requester, key: DatabaseKey, data_id: DataId) -> EditedImage:
        """Return an image for the form that edits it. Raises UserError."""
        images = await self._image(requester, key, data_id)
        same = await self._answers.seen_as(requester, key, images.entity)
        presenter, reader = self._dependencies.presenter, requester.as_reader
        picture = NO_PICTURE
        try:
            async with asyncio.timeout(PICTURE_TIMEOUT_S):
                pictures = await presenter.pictures(reader, images.shown)
                picture = pictures.get(data_id, NO_PICTURE)
        except TimeoutError:
            log.info("the picture of an edited image could not be shown in time")
        return EditedImage(images.shown[0], len(same), picture)

    async def _rename(self, requester: Requester, images: _Images, new: EntityId, *, merge: bool) -> Reply:
        key = images.info.key
        own = {record.data_id for record in images.shown}
        # The question would tell that there are images which the person can't see, and so would their spelling.
        others = () if new.is_same(images.entity) else await self._answers.seen_as(requester, key, new)
        seen = [record for record in others if record.data_id not in own]
        if seen and not merge:
            state = MergeState(database=key.name, entity=images.entity, new=seen[0].entity)
            return merge_question(state, len(images.shown), len(seen))
        written = await self._dependencies.corrections.rename(key, images.shown, new)
        return renamed_reply(key.name, images.entity, written if seen else new, len(images.shown))

    async def _set_note(self, images: _Images, note: Note) -> Reply:
        changed = await self._dependencies.corrections.set_note(images.shown, note)
        return note_reply(images.info.key.name, images.entity, changed, empty=not note)

    async def _of_entity(self, requester: Requester, key: DatabaseKey, entity: EntityId) -> _Images:
        info = await self._dependencies.databases.find(key)
        records = await self._dependencies.catalogue.of_entity(info.key, entity, or_given=True)
        shown = await self._answers.visible_as(requester, records, entity)
        if not shown:
            # The person may not even know that the entity exists.
            raise await self._answers.unknown_entity(requester, info, entity)
        return await self._changeable(requester, info, records, shown)

    async def _image(self, requester: Requester, key: DatabaseKey, data_id: DataId) -> _Images:
        seen = await self._answers.seen_image(requester, key, data_id)
        return await self._changeable(requester, seen.info, [seen.record], (seen.shown,))

    async def _changeable(
        self,
        requester: Requester,
        info: DatabaseInfo,
        records: Sequence[ImageRecord],
        shown: tuple[ImageRecord, ...],
    ) -> _Images:
        seen = {record.data_id for record in shown}
        chosen = tuple(record for record in records if record.data_id in seen)
        await self._dependencies.permissions.check_change_images(
            info, chosen, requester.user, self._answers.directory(requester)
        )
        return _Images(info, shown[0].entity, chosen, shown)
