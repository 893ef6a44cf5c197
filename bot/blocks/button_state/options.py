"""Values of menus' options, which are much shorter than those of buttons."""

from __future__ import annotations

from bot.blocks.button_state.base import MAX_NUMBER
from bot.blocks.button_state.searches import CompareState, SearchState
from bot.blocks.button_state.subjects import ImageState
from bot.blocks.limits import OPTION_VALUE, length
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.errors import InvalidInput

_SAME_THREAD = "="
_IMAGE = ":"
"""Separates an action from the image that it is about."""


def encode_option(action: str, search: SearchState) -> str | None:
    """Return a search and what to do with it as the value of a menu's option; None if it is too long for one.

    It lacks the file's name, which is only for people.
    """
    thread = _SAME_THREAD if search.thread and search.thread == search.message else search.thread
    numbers = (f"{search.top}", f"{search.minimum:g}", f"{search.offset}")
    # The URL comes last because it may contain the separator.
    place = (search.file, search.channel, search.message, thread, search.database)
    fields = (*place, *numbers, search.part, search.text, search.url)
    text = "|".join((action, *fields))
    return text if length(text) <= OPTION_VALUE else None


def decode_option(text: str) -> tuple[str, SearchState]:
    """Read what ``encode_option`` wrote. Raises InvalidInput."""
    try:
        action, file, channel, message, thread, database, top, minimum, offset, part, words, url = text.split("|", 11)
        search = SearchState(
            file=file,
            url=url,
            channel=channel,
            message=message,
            thread=message if thread == _SAME_THREAD else thread,
            database=database,
            top=int(top),
            minimum=float(minimum),
            offset=int(offset),
            part=part,
            text=words,
        )
    except (ValueError, OverflowError):
        raise InvalidInput(STALE_BUTTON) from None
    if not all(abs(number) <= MAX_NUMBER for number in (search.top, search.minimum, search.offset)):
        raise InvalidInput(STALE_BUTTON)
    return action, search


def encode_comparison(action: str, state: CompareState) -> str | None:
    """Return a comparison as the value of a menu's option; None if it is too long for one."""
    return encode_option(f"{action}{_IMAGE}{state.image}", state.search)


def decode_comparison(text: str) -> tuple[str, CompareState]:
    """Read what ``encode_comparison`` wrote. Raises InvalidInput."""
    named, search = decode_option(text)
    action, _, image = named.partition(_IMAGE)
    return action, CompareState.of(search, search.database, image)


def encode_image_option(action: str, image: ImageState) -> str | None:
    """Return an image and what to do with it as the value of a menu's option; None if it is too long for one."""
    text = f"{action}|{image.database}|{image.image}"
    return text if length(text) <= OPTION_VALUE else None


def decode_image_option(text: str) -> tuple[str, ImageState]:
    """Read what ``encode_image_option`` wrote. Raises InvalidInput."""
    try:
        action, database, image = text.split("|", 2)
    except ValueError:
        raise InvalidInput(STALE_BUTTON) from None
    return action, ImageState(database=database, image=image)
