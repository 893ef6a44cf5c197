"""A page of a database's images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bot.blocks.button_state import EntityState, ImageState, ListState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block, fits, sendable
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, image_of, provenance, with_picture
from bot.blocks.mrkdwn import capitalised
from bot.blocks.reply import Reply, button, buttons, context_block, section, verbatim
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import images as wording
from bot.blocks.wording.results import nothing_visible, photo_alt
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DataId
from bot.domain.pages import Order

IMAGES_PER_PAGE = 8
PHOTOS_PER_PAGE = 5
"""Each is as large as Slack shows pictures."""

_DETAIL_LEVELS = ((300, True, True), (120, True, True), (60, True, True), (60, True, False), (60, False, False))
"""Characters of each note, and whether pictures and buttons are shown. Every image of a page is shown, since the next
page starts after the last."""


def listing_reply(
    info: DatabaseInfo,
    records: Sequence[ImageRecord],
    *,
    total: int,
    state: ListState,
    pictures: Mapping[DataId, PictureRef],
    hidden: int,
    more: bool,
    hides_images: bool = False,
    editable: Collection[DataId] | None = None,
) -> Reply:
    """Return a page.

    Args:
        info: the listed database.
        records: the images of this page.
        total: number of images on all pages.
        state: the page itself, for its buttons.
        pictures: where Slack gets each image's picture from.
        hidden: number of images of this page that the reader may know of but not see.
        more: whether there is another page.
        hides_images: whether the database has images that the reader may not know of.
        editable: the images that the reader may change; None for all.

    """
    # An empty listing must neither confirm nor deny that there are hidden images with such an id.
    is_unsure = hides_images and not total
    text = nothing_visible(f"`{info.key.name}`") if is_unsure else _title(info, state, total)
    first = section(text, BlockId.SUMMARY)
    last = [*_hidden(hidden), *_page_buttons(state, more=more)]
    blocks: tuple[Block, ...] = ()
    for note_shown, with_pictures, with_buttons in _DETAIL_LEVELS:
        images = [
            block
            for record in records[:IMAGES_PER_PAGE]
            for block in _image(
                record,
                pictures if with_pictures else {},
                note_shown,
                editable=with_buttons and (editable is None or record.data_id in editable),
            )
        ]
        blocks = (first, *images, *last)
        if fits(blocks):
            break
    return Reply(text.replace("*", ""), blocks)


def photos_reply(
    state: EntityState, records: Sequence[ImageRecord], *, total: int, pictures: Mapping[DataId, PictureRef]
) -> Reply:
    """Return a page of the pictures of one entity, each of them large.

    Args:
        state: the page itself, for its buttons.
        records: the images of this page.
        total: number of the entity's images on all pages.
        pictures: where Slack gets each image's picture from.

    """
    text = wording.photos_title(state.database, state.entity, state.offset, len(records), total)
    blocks = [section(text, BlockId.SUMMARY)]
    for number, record in enumerate(records, start=state.offset + 1):
        image = image_of(pictures.get(record.data_id, NO_PICTURE), photo_alt(state.entity, number, total))
        blocks += [*([image] if image else []), context_block(f"{number}.  {provenance(record)}")]
    ways = [("previous", state.offset - PHOTOS_PER_PAGE), ("next", state.offset + PHOTOS_PER_PAGE)]
    labels_of = {"previous": labels.SHOW_PREVIOUS, "next": labels.SHOW_MORE}
    elements = [
        button(labels_of[way], f"{ActionId.ENTITY_PHOTOS}:{way}", value)
        for way, offset in ways
        if 0 <= offset < total and (value := replace(state, offset=offset).encode()) is not None
    ]
    return Reply(text.replace("*", ""), (*blocks, *([buttons(elements, BlockId.BUTTONS)] if elements else [])))


def _title(info: DatabaseInfo, state: ListState, total: int) -> str:
    order = wording.OLDEST_FIRST if state.order == Order.OLDEST_FIRST else wording.NEWEST_FIRST
    page, pages = state.offset // IMAGES_PER_PAGE + 1, -(-total // IMAGES_PER_PAGE)
    return wording.listing_title(info.key.name, state.prefix, total, order, (page, pages))


def _image(
    record: ImageRecord, pictures: Mapping[DataId, PictureRef], note_shown: int, *, editable: bool
) -> list[Block]:
    title = wording.entity_title(record.entity, automatic=record.named_automatically)
    text = section(f"{title}\n{capitalised(provenance(record))}")
    shown = with_picture(text, pictures.get(record.data_id, NO_PICTURE), str(record.entity))
    note = sendable(record.note)
    return [shown, *([verbatim(note, note_shown)] if note else []), *(_edit_button(record) if editable else [])]


def _edit_button(record: ImageRecord) -> list[Block]:
    value = ImageState(database=record.database.name, image=record.data_id).encode()
    return [buttons([button(labels.EDIT, ActionId.EDIT_IMAGE, value)])] if value else []


def _hidden(hidden: int) -> list[Block]:
    return [context_block(wording.private_on_page(hidden), BlockId.LEFT_OUT)] if hidden else []


def _page_buttons(state: ListState, *, more: bool) -> list[Block]:
    wanted = []
    if state.offset > 0:
        wanted.append((labels.SHOW_PREVIOUS, "previous", max(0, state.offset - IMAGES_PER_PAGE)))
    if more:
        wanted.append((labels.SHOW_MORE, "next", state.offset + IMAGES_PER_PAGE))
    elements = [
        button(text, f"{ActionId.LIST_PAGE}:{way}", value)
        for text, way, offset in wanted
        if (value := replace(state, offset=offset).encode()) is not None
    ]
    return [buttons(elements, BlockId.BUTTONS)] if elements else []
