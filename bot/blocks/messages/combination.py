"""Combine several replies in one message."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.limits import MESSAGE_BLOCKS, MESSAGE_TEXT, Block, shorten
from bot.blocks.reply import Reply


def joined(replies: Sequence[Reply]) -> Reply:
    """Return one reply with the blocks of all, as many as fit."""
    if len(replies) == 1:
        return replies[0]
    blocks: list[Block] = []
    for reply in replies:
        # A message may have each block id only once.
        blocks += [{name: value for name, value in block.items() if name != "block_id"} for block in reply.blocks]
    text = "\n".join(reply.text for reply in replies)
    return Reply(shorten(text, MESSAGE_TEXT), tuple(blocks[:MESSAGE_BLOCKS]))
