"""Answers to corrections: the question before two entities become one, and what was changed."""

from __future__ import annotations

from bot.blocks.button_state import ImageState, MergeState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.reply import Reply, button, buttons, mrkdwn_reply
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import images as wording
from bot.domain.catalogue import ImageRecord


def merge_question(state: MergeState, images: int, others: int) -> Reply:
    """Return the question before ``images`` images become one entity with ``others``."""
    text = wording.merge_question(state.database, state.entity, state.new, images, others)
    value = state.encode() or ""
    choices = [
        button(labels.MERGE, ActionId.MERGE_ENTITIES, value, style="primary"),
        button(labels.KEEP, ActionId.DISMISS, value),
    ]
    return mrkdwn_reply(text, buttons(choices, BlockId.BUTTONS))


def delete_image_question(record: ImageRecord) -> Reply:
    """Return the question before one image is deleted."""
    value = ImageState(database=record.database.name, image=record.data_id).encode() or ""
    choices = [
        button(labels.DELETE, ActionId.DELETE_IMAGE, value, style="danger"),
        button(labels.KEEP, ActionId.DISMISS, value),
    ]
    text = wording.delete_image_question(record.database.name, record.entity)
    return mrkdwn_reply(text, buttons(choices, BlockId.BUTTONS))


def renamed_reply(database: str, entity: str, new: str, images: int) -> Reply:
    """Return that images got another id."""
    return mrkdwn_reply(wording.renamed(database, entity, new, images))


def note_reply(database: str, entity: str, images: int, *, empty: bool) -> Reply:
    """Return that images got another note, or none."""
    return mrkdwn_reply(wording.note_saved(database, entity, images, empty=empty))


def image_deleted_reply(database: str, entity: str) -> Reply:
    """Return that one image of an entity was deleted."""
    return mrkdwn_reply(wording.image_deleted(database, entity))
