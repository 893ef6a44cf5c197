"""A page of what is in a database. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.blocks.button_state import ListState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block, fits, sendable
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, provenance, with_picture
from bot.blocks.reply import Reply, button, buttons, context_block, section, verbatim
from bot.blocks.wording import code, count_images
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DataId
from bot.domain.pages import Order

IMAGES_PER_PAGE = 8

_DETAIL_LEVELS = ((300, True), (120, True), (60, True), (60, False))
"""How much of each note is shown, and whether pictures are: a page is always whole, or the next would leave a gap."""


def listing_reply(
    info: DatabaseInfo,
    records: Sequence[ImageRecord],
    *,
    total: int,
    state: ListState,
    pictures: Mapping[DataId, PictureRef],
    hidden: int,
    more: bool,
) -> Reply:
    """A page with its images. ``hidden`` counts those of this page that the reader may not see but may know of."""
    text = _title(info, state, total)
    first = section(text, BlockId.SUMMARY)
    last = [*_hidden(hidden), *_page_buttons(state, more=more)]
    blocks: tuple[Block, ...] = ()
    for note_shown, with_pictures in _DETAIL_LEVELS:
        images = [
            block
            for record in records[:IMAGES_PER_PAGE]
            for block in _image(record, pictures if with_pictures else {}, note_shown)
        ]
        blocks = (first, *images, *last)
        if fits(blocks):
            break
    return Reply(text.replace("*", ""), blocks)


def _title(info: DatabaseInfo, state: ListState, total: int) -> str:
    name = f"`{info.key.name}`"
    which = f" whose entity begins with {code(state.prefix)}" if state.prefix else ""
    if not total:
        return f"{name} holds no images{which}." if which else f"{name} holds no images yet."
    order = "oldest first" if state.order == Order.OLDEST_FIRST else "newest first"
    pages = -(-total // IMAGES_PER_PAGE)
    page = f", page {state.offset // IMAGES_PER_PAGE + 1:,} of {pages:,}" if pages > 1 else ""
    return f"*{count_images(total)}* in {name}{which}, {order}{page}"


def _image(record: ImageRecord, pictures: Mapping[DataId, PictureRef], note_shown: int) -> list[Block]:
    text = section(f"`{record.entity}`\n{provenance(record)}")
    shown = with_picture(text, pictures.get(record.data_id, NO_PICTURE), str(record.entity))
    note = sendable(record.note)
    return [shown, verbatim(note, note_shown)] if note else [shown]


def _hidden(hidden: int) -> list[Block]:
    if not hidden:
        return []
    images = (
        "1 image of this page is from a place" if hidden == 1 else f"{hidden:,} images of this page are from places"
    )
    return [context_block(f"{images} that you can't see.", BlockId.LEFT_OUT)]


def _page_buttons(state: ListState, *, more: bool) -> list[Block]:
    wanted = []
    if state.offset > 0:
        wanted.append(("Previous", "previous", max(0, state.offset - IMAGES_PER_PAGE)))
    if more:
        wanted.append(("Next", "next", state.offset + IMAGES_PER_PAGE))
    elements = [
        button(text, f"{ActionId.LIST_PAGE}:{way}", value)
        for text, way, offset in wanted
        if (value := replace(state, offset=offset).encode()) is not None
    ]
    return [buttons(elements, BlockId.BUTTONS)] if elements else []
