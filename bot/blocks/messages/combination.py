"""Several replies in one message. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.limits import MESSAGE_BLOCKS, MESSAGE_TEXT, Block, shorten
from bot.blocks.reply import Reply


def joined(replies: Sequence[Reply]) -> Reply:
    """One after the other, as many blocks as fit; a single one as it is."""
    if len(replies) == 1:
        return replies[0]
    blocks: list[Block] = []
    for reply in replies:
        # A block's id may stand in a message once.
        blocks += [{name: value for name, value in block.items() if name != "block_id"} for block in reply.blocks]
    text = "\n".join(reply.text for reply in replies)
    return Reply(shorten(text, MESSAGE_TEXT), tuple(blocks[:MESSAGE_BLOCKS]))
