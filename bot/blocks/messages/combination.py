"""Combine several replies."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.limits import MESSAGE_TEXT, Block, fits, shorten
from bot.blocks.reply import Reply


def joined(replies: Sequence[Reply]) -> Reply:
    """Return one reply with the blocks of all. Those that don't fit into one message are in ``further``."""
    if len(replies) == 1:
        return replies[0]
    messages: list[tuple[list[str], list[Block]]] = []
    for reply in replies:
        # A message may have each block id only once.
        blocks = [{name: value for name, value in block.items() if name != "block_id"} for block in reply.blocks]
        if not messages or not fits([*messages[-1][1], *blocks]):
            messages.append(([], []))
        messages[-1][0].append(reply.text)
        messages[-1][1].extend(blocks)
    first, *further = [Reply(shorten("\n".join(texts), MESSAGE_TEXT), tuple(blocks)) for texts, blocks in messages]
    return Reply(first.text, first.blocks, tuple(further))
