"""The pictures that were searched with, for readers of a shared answer who don't see them next to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bot.blocks.button_state import SearchState
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef
from bot.blocks.messages.results.matches import AskedPicture
from bot.services.images.file_names import name_at
from handlers.replies.requester import Requester
from handlers.slack.messages import permalink
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)

MOST_ASKED = 10
"""Files whose names and links are read from Slack for one answer."""

SHOWN_BY_SLACK = (".png", ".jpg", ".jpeg", ".gif")


async def asked_pictures(requester: Requester, states: Sequence[SearchState]) -> list[AskedPicture | None]:
    """Return what the requester's channel may be told of each picture: its name, and the picture or a link to it."""
    first = await asyncio.gather(*(_asked(requester, state) for state in states[:MOST_ASKED]))
    return [*first, *[None] * (len(states) - len(first))]


async def _asked(requester: Requester, state: SearchState) -> AskedPicture | None:
    if state.url:
        return AskedPicture(name_at(state.url), state.url)
    if state.channel and state.message:
        if state.channel != requester.channel:
            # The readers may not see that message.
            return None
        return AskedPicture(state.name, await permalink(requester.client, state.channel, state.message))
    return await _uploaded(requester, state) if state.file else None


async def _uploaded(requester: Requester, state: SearchState) -> AskedPicture:
    """Return a file of a form. Nobody else has seen it, so the answer shows it."""
    try:
        file = (await requester.client.files_info(file=state.file)).get("file") or {}
    except UNREACHABLE as error:
        log.info("files.info: %s", reason_of(error))
        return AskedPicture(state.name)
    name = str(file.get("name") or state.name)
    # Slack refuses a message that shows a file which it still processes, or one of another format.
    is_shown = bool(file.get("mimetype")) and name.lower().endswith(SHOWN_BY_SLACK)
    picture = PictureRef(slack_file=state.file) if is_shown else NO_PICTURE
    return AskedPicture(name, str(file.get("permalink") or ""), picture)
