"""Lets people choose the part of a picture that is to be searched."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from bot.blocks.button_state import SearchState
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef
from bot.blocks.messages.parts import parts_reply
from bot.blocks.reply import Reply
from bot.domain.errors import BackendError
from bot.domain.matches import PictureRegion
from bot.domain.pictures import Picture
from bot.images import parts
from bot.images.memory import on_behalf_of
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester

log = logging.getLogger(__name__)


async def part_choice(dependencies: SlackDependencies, requester: Requester, state: SearchState) -> Reply:
    """Return the picture of a search with numbered regions, and a button for each. Raises FetchRefused."""
    whole = replace(state, part="", text="")
    with on_behalf_of(requester.workspace):
        picture = await dependencies.finder.picture(whole, requester.client)
    regions, drawn = await asyncio.to_thread(_draw, picture)
    return parts_reply(whole, regions, await _published(dependencies, requester, drawn))


async def _published(dependencies: SlackDependencies, requester: Requester, drawn: bytes) -> PictureRef:
    if dependencies.publish is None:
        file = await dependencies.uploads.show_for_an_hour(requester.workspace, requester.client, drawn)
        return PictureRef(slack_file=file)
    try:
        return PictureRef(url=await dependencies.publish(drawn))
    except BackendError as error:
        log.warning("a drawing could not be published: %s", error)
        return NO_PICTURE


def _draw(picture: Picture) -> tuple[tuple[PictureRegion, ...], bytes]:
    regions = parts.choices(picture)
    return regions, parts.numbered(picture, regions)
