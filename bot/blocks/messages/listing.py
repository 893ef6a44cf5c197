"""A page of a database's images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from bot.blocks.button_state import EntityState, ImageState, ListState, encode_image_option
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import OPTION_VALUE, Block, fits, sendable
from bot.blocks.messages.image_details import (
    NO_PICTURE,
    SEPARATOR,
    PictureRef,
    address,
    headline,
    image_of,
    provenance,
    with_picture,
)
from bot.blocks.mrkdwn import capitalised
from bot.blocks.reply import (
    Reply,
    button,
    buttons,
    context_block,
    option,
    overflow,
    page_buttons,
    section,
    select,
    verbatim,
)
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import images as wording
from bot.blocks.wording.results import nothing_visible, photo_alt
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DataId
from bot.domain.pages import Order

IMAGES_PER_PAGE = 5
PHOTOS_PER_PAGE = 5
"""Each is as large as Slack shows pictures."""

_DETAIL_LEVELS = ((300, True, True), (120, True, True), (60, True, True), (60, True, False), (60, False, False))
"""Characters of each note, and whether pictures and actions are shown. Every image of a page is shown, since the next
page starts after the last."""

SIMILAR, PHOTOS, MOVE, DELETE = "similar", "photos", "move", "delete"
"""The actions of an image's menu. Messages live for ever, so none ever changes its meaning."""


@dataclass(frozen=True, slots=True)
class ImageChoices:
    """What the reader of a listing may do with an image: whether to change it, and how many photos its id has."""

    may_change: bool = True
    photos: int = 1


_ANY_CHOICE = ImageChoices()


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
    choices: Mapping[DataId, ImageChoices] = MappingProxyType({}),
    ids: int = 0,
    links: Mapping[DataId, str] = MappingProxyType({}),
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
        choices: what the reader may do with each image.
        ids: number of ids on all pages, or 0 if the reader may not know it.
        links: the pages of the images' ids.

    """
    # An empty listing must neither confirm nor deny that there are hidden images with such an id.
    is_unsure = hides_images and not total
    text = nothing_visible(f"`{info.key.name}`") if is_unsure else _title(info, state, total, ids)
    first = [section(text, BlockId.SUMMARY), *_order_row(state, total)]
    last = [*_hidden(hidden), *_page_buttons(state, more=more)]
    blocks: tuple[Block, ...] = ()
    for note_shown, with_pictures, with_actions in _DETAIL_LEVELS:
        images = [
            block
            for number, record in enumerate(records[:IMAGES_PER_PAGE], start=state.offset + 1)
            for block in _image(
                number,
                record,
                pictures if with_pictures else {},
                note_shown,
                choices.get(record.data_id, _ANY_CHOICE) if with_actions else None,
                link=links.get(record.data_id, ""),
            )
        ]
        blocks = (*first, *images, *last)
        if fits(blocks):
            break
    return Reply(text.replace("*", ""), blocks)


def photos_reply(
    state: EntityState,
    records: Sequence[ImageRecord],
    *,
    total: int,
    pictures: Mapping[DataId, PictureRef],
    link: str = "",
) -> Reply:
    """Return a page of the pictures of one entity, each of them large.

    Args:
        state: the page itself, for its buttons.
        records: the images of this page.
        total: number of the entity's images on all pages.
        pictures: where Slack gets each image's picture from.
        link: the page of the entity, if there is one.

    """
    text = wording.photos_title(state.database, state.entity, state.offset, len(records), total)
    blocks = [section(f"{text}{_page_link(link)}", BlockId.SUMMARY)]
    for number, record in enumerate(records, start=state.offset + 1):
        image = image_of(pictures.get(record.data_id, NO_PICTURE), photo_alt(state.entity, number, total))
        blocks += [*([image] if image else []), context_block(f"{number}.  {provenance(record)}")]
    previous, following = (
        replace(state, offset=offset) if 0 <= offset < total else None
        for offset in (state.offset - PHOTOS_PER_PAGE, state.offset + PHOTOS_PER_PAGE)
    )
    elements = page_buttons(ActionId.ENTITY_PHOTOS, previous, following)
    return Reply(text.replace("*", ""), (*blocks, *([buttons(elements, BlockId.BUTTONS)] if elements else [])))


def entity_preview(
    database: str, records: Sequence[ImageRecord], pictures: Mapping[DataId, PictureRef], link: str
) -> list[Block]:
    """Return what the link of an entity leads to: its id, note and first picture, and where that was posted."""
    first = records[0]
    note = next((record.note for record in records if record.note), first.note)
    words = headline(note)
    title = wording.entity_title(first.entity, automatic=first.named_automatically)
    about = [f"*{words}*{SEPARATOR}{title}" if words else title, wording.photos_in(len(records), database)]
    text = section(f"{SEPARATOR.join(about)}\n{capitalised(provenance(first))}{_page_link(link)}")
    alt_text = photo_alt(str(first.entity), 1, len(records))
    below = sendable(note)
    return [
        with_picture(text, pictures.get(first.data_id, NO_PICTURE), alt_text),
        *([verbatim(below, _DETAIL_LEVELS[0][0])] if below and not words else []),
    ]


def _page_link(link: str) -> str:
    return f"{SEPARATOR}<{link}|{wording.OPEN_PAGE}>" if address(link) else ""


def _title(info: DatabaseInfo, state: ListState, total: int, ids: int) -> str:
    order = _ORDERS.get(state.order, wording.NEWEST_FIRST)
    page, pages = state.offset // IMAGES_PER_PAGE + 1, -(-total // IMAGES_PER_PAGE)
    # Images may have been deleted since the button was shown.
    return wording.listing_title(info.key.name, state.prefix, total, order, (min(page, pages), pages), ids=ids)


_ORDERS: Mapping[str, str] = {Order.OLDEST_FIRST: wording.OLDEST_FIRST, Order.BY_ID: wording.BY_ID}
_SORTS = {
    Order.NEWEST_FIRST: labels.SORT_NEWEST,
    Order.OLDEST_FIRST: labels.SORT_OLDEST,
    Order.BY_ID: labels.SORT_BY_ID,
}


def _order_row(state: ListState, total: int) -> list[Block]:
    """Return the row that sorts the listing and jumps in it, if it is worth it."""
    if total <= IMAGES_PER_PAGE and not state.prefix:
        return []
    first_page = replace(state, offset=0)
    sorts = [
        option(label, value)
        for order, label in _SORTS.items()
        if (value := replace(first_page, order=str(order)).encode(OPTION_VALUE)) is not None
    ]
    elements = [select(labels.SORT, ActionId.LIST_SORT, sorts)] if len(sorts) == len(_SORTS) else []
    wanted = [(labels.JUMP, str(ActionId.LIST_JUMP), first_page)]
    if state.prefix:
        wanted.append((labels.SHOW_ALL, f"{ActionId.LIST_PAGE}:all", replace(first_page, prefix="")))
    elements += [button(label, action, value) for label, action, page in wanted if (value := page.encode()) is not None]
    return [buttons(elements)] if elements else []


def _image(
    number: int,
    record: ImageRecord,
    pictures: Mapping[DataId, PictureRef],
    note_shown: int,
    choices: ImageChoices | None,
    *,
    link: str,
) -> list[Block]:
    """Return an image: its picture as large as Slack shows one, its note, id and origin, and what to do with it."""
    alt_text = wording.listed_alt(number, record.database.name, record.entity, record.note)
    picture = image_of(pictures.get(record.data_id, NO_PICTURE), alt_text)
    words = headline(record.note, note_shown)
    title = wording.entity_title(record.entity, automatic=record.named_automatically)
    if words:
        title = f"*{words}*{SEPARATOR}{title}"
    if choices is not None and choices.photos > 1:
        title += f"{SEPARATOR}{wording.photos_of_entity(choices.photos)}"
    text = section(f"{title}\n{capitalised(provenance(record))}{_page_link(link)}")
    note = "" if words else sendable(record.note)
    actions = [] if choices is None else _image_actions(number, record, choices)
    return [*([picture] if picture else []), text, *([verbatim(note, note_shown)] if note else []), *actions]


def _image_actions(number: int, record: ImageRecord, choices: ImageChoices) -> list[Block]:
    """Return the row of an image: a button, and a menu with the other actions that the reader may take."""
    image = ImageState(database=record.database.name, image=record.data_id)
    wanted = [
        (labels.FIND_SIMILAR, SIMILAR),
        *([(labels.all_photos(choices.photos), PHOTOS)] if choices.photos > 1 else []),
        *([(labels.MOVE, MOVE), (labels.DELETE_THIS, DELETE)] if choices.may_change else []),
    ]
    options = [option(label, value) for label, name in wanted if (value := encode_image_option(name, image))]
    edit, about = image.encode(), labels.image_in_list(number, record.entity)
    elements = [button(labels.EDIT, ActionId.EDIT_IMAGE, edit, about=about)] if choices.may_change and edit else []
    if len(options) == 1:
        # A menu has at least two options.
        value = options[0]["value"]
        elements.append(button(labels.FIND_SIMILAR, f"{ActionId.IMAGE_MENU}:similar", value, about=about))
    elif options:
        elements.append(overflow(ActionId.IMAGE_MENU, options))
    return [buttons(elements)] if elements else []


def _hidden(hidden: int) -> list[Block]:
    return [context_block(wording.private_on_page(hidden), BlockId.LEFT_OUT)] if hidden else []


def _page_buttons(state: ListState, *, more: bool) -> list[Block]:
    previous = replace(state, offset=max(0, state.offset - IMAGES_PER_PAGE)) if state.offset > 0 else None
    following = replace(state, offset=state.offset + IMAGES_PER_PAGE) if more else None
    elements = page_buttons(ActionId.LIST_PAGE, previous, following)
    return [buttons(elements, BlockId.BUTTONS)] if elements else []
