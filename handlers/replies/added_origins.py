"""The Slack origin of an image that somebody adds by a command, button, form or shortcut."""

from __future__ import annotations

from bot.blocks.button_state import SearchState
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import ChannelKind
from handlers.replies.requester import Requester
from handlers.slack.directory import SlackDirectory
from handlers.slack.messages import permalink


async def origin_of(requester: Requester, state: SearchState, directory: SlackDirectory) -> SlackOrigin | None:
    """Return the origin of the picture that a state names; None for a URL that was given in a public channel.

    A link that a message shows a picture of goes with that message.
    """
    if not (state.channel and state.message):
        return await _origin_without_message(requester, state, directory)
    # If Slack doesn't say who can read a channel, its pictures count as private.
    known = requester.kind if state.channel == requester.channel else ChannelKind.PRIVATE
    kind = await directory.kind(state.channel, known)
    link = await permalink(requester.client, state.channel, state.message)
    return SlackOrigin(state.file, state.channel, state.message, link, kind)


async def _origin_without_message(
    requester: Requester, state: SearchState, directory: SlackDirectory
) -> SlackOrigin | None:
    """Return the origin of a file from a modal or of a URL: the conversation in which it was given, unless public.

    What somebody adds where not everybody can read is only for those who can.
    """
    if requester.channel:
        kind = await directory.kind(requester.channel, requester.kind)
        if kind is not ChannelKind.PUBLIC:
            return SlackOrigin(state.file, requester.channel, "", kind=kind)
    return SlackOrigin(state.file, "", "") if state.file else None
