"""The choice of a part of a picture: the picture with numbered regions, and a button for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.blocks.button_state import SearchState, encode_part
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block, size
from bot.blocks.messages.image_details import PictureRef, image_of
from bot.blocks.messages.results.actions import button_value
from bot.blocks.reply import Reply, button, buttons, section
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import results as wording
from bot.domain.matches import PictureRegion

BUTTONS_PER_ROW = 3
MAX_CHOICES_SIZE = 10_000
"""Of a message's 12,000 characters. Each button carries the whole search, and a URL may be long."""


def parts_reply(state: SearchState, regions: Sequence[PictureRegion], drawing: PictureRef) -> Reply:
    """Return the question which of the numbered regions to search.

    ``drawing`` shows the regions. Where it can't be shown, only the buttons say where they are.
    """
    blocks: list[Block] = [section(wording.CHOOSE_PART, BlockId.SUMMARY)]
    if (image := image_of(drawing, wording.CHOOSE_PART_ALT)) is not None:
        blocks.append(image)
    elements = _buttons(state, regions)
    blocks += [
        buttons(elements[start : start + BUTTONS_PER_ROW], f"{BlockId.BUTTONS}_{start}")
        for start in range(0, len(elements), BUTTONS_PER_ROW)
    ]
    return Reply(wording.CHOOSE_PART, tuple(blocks))


def _buttons(state: SearchState, regions: Sequence[PictureRegion]) -> list[Block]:
    """Return as many buttons as fit into a message."""
    elements: list[Block] = []
    for number, region in enumerate(regions, start=1):
        value = button_value(replace(state, part=encode_part(region), offset=0))
        if value is None:
            break
        label = labels.numbered_part(number, wording.part_label(region))
        elements.append(button(label, f"{ActionId.SEARCH_PART}:{number}", value))
        if size(elements) > MAX_CHOICES_SIZE:
            return elements[:-1]
    return elements
