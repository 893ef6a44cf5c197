"""The forms of a listing: give an image another id or note, delete it, and jump to an id."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.blocks.button_state import FormState, ImageState, ListState
from bot.blocks.ids import ActionId, InputId, ViewId
from bot.blocks.limits import Block
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, image_of, provenance
from bot.blocks.modal_fields import MAX_ENTITY_TYPED, choice, input_block, text_input
from bot.blocks.modals import ViewPayload, form
from bot.blocks.mrkdwn import capitalised
from bot.blocks.reply import button, buttons, confirmation, option, section
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import forms as wording
from bot.blocks.wording.images import entity_title
from bot.domain.catalogue import ImageRecord
from bot.domain.identifiers import MAX_NOTE

THIS_IMAGE, WHOLE_ENTITY = "image", "entity"


@dataclass(frozen=True, slots=True)
class EditedImage:
    """An image to edit, with what the person may see of it, and the number of images that they see with its id."""

    record: ImageRecord
    images: int
    picture: PictureRef = NO_PICTURE


def edit_form(edited: EditedImage, state: FormState) -> ViewPayload:
    """Return the form for an image."""
    record = edited.record
    entity = text_input(initial=record.entity, max_length=MAX_ENTITY_TYPED, min_length=1)
    note = text_input(initial=record.note, max_length=MAX_NOTE, placeholder=wording.NOTE_PLACEHOLDER, multiline=True)
    picture = image_of(edited.picture, str(record.entity))
    blocks: list[Block] = [
        *([picture] if picture else []),
        _about(record),
        input_block(InputId.ENTITY, wording.ENTITY_LABEL, entity, hint=wording.EDIT_ENTITY_HINT),
        input_block(InputId.NOTE, wording.NOTE_LABEL, note, optional=True),
        *(_scope(edited.images) if edited.images > 1 else []),
        buttons([_delete_button(record)]),
    ]
    state = replace(state, database=str(record.database.name), image=str(record.data_id))
    return form(ViewId.EDIT_IMAGE, wording.EDIT_TITLE, wording.SAVE, blocks, state)


def move_form(record: ImageRecord, state: FormState) -> ViewPayload:
    """Return the form that gives one image another id. It has no field for the note, which stays."""
    entity = text_input(max_length=MAX_ENTITY_TYPED, min_length=1)
    blocks = [
        _about(record),
        input_block(InputId.ENTITY, wording.MOVE_LABEL, entity, hint=wording.MOVE_HINT),
    ]
    state = replace(state, database=str(record.database.name), image=str(record.data_id))
    return form(ViewId.EDIT_IMAGE, wording.MOVE_TITLE, wording.MOVE, blocks, state)


def jump_form(listing: ListState, state: FormState) -> ViewPayload:
    """Return the form that shows the ids of a listing that begin with a text."""
    prefix = text_input(initial=listing.prefix, max_length=MAX_ENTITY_TYPED)
    field = input_block(InputId.PREFIX, wording.JUMP_LABEL, prefix, hint=wording.JUMP_HINT, optional=True)
    state = replace(state, database=listing.database, state=listing.encode() or "")
    return form(ViewId.LIST_JUMP, wording.JUMP_TITLE, wording.JUMP, [field], state)


def _about(record: ImageRecord) -> Block:
    """Return the id of an image, and who added it when."""
    title = entity_title(record.entity, automatic=record.named_automatically)
    return section(f"{title}\n{capitalised(provenance(record))}")


def _scope(images: int) -> list[Block]:
    options = [option(wording.SCOPE_IMAGE, THIS_IMAGE), option(wording.scope_entity(images), WHOLE_ENTITY)]
    return [input_block(InputId.SCOPE, wording.SCOPE_LABEL, choice("radio_buttons", options, THIS_IMAGE))]


def _delete_button(record: ImageRecord) -> Block:
    title, text = wording.delete_image_confirmation(record.entity, record.database.name)
    value = ImageState(database=record.database.name, image=record.data_id).encode() or ""
    confirm = confirmation(title, text, labels.DELETE, labels.KEEP)
    return button(labels.DELETE_IMAGE, ActionId.DELETE_IMAGE, value, style="danger", confirm=confirm)
