"""Combine several replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from bot.blocks.limits import MESSAGE_TEXT, Block, fits, shorten
from bot.blocks.reply import Reply, accessibility_label
from bot.blocks.wording import buttons as labels


def joined(replies: Sequence[Reply]) -> Reply:
    """Return one reply with the blocks of all. Those that don't fit into one message are in ``further``."""
    if len(replies) == 1:
        return replies[0]
    messages: list[tuple[list[str], list[Block]]] = []
    seen = Counter(text for reply in replies for block in reply.blocks for text in _button_texts(block))
    repeated = frozenset(text for text, times in seen.items() if times > 1)
    for number, reply in enumerate(replies, start=1):
        # A message may have each block id only once.
        unnamed = [{name: value for name, value in block.items() if name != "block_id"} for block in reply.blocks]
        blocks = [_labelled(block, repeated, labels.part_of_message(number)) for block in unnamed]
        if not messages or not fits([*messages[-1][1], *blocks]):
            messages.append(([], []))
        messages[-1][0].append(reply.text)
        messages[-1][1].extend(blocks)
    first, *further = [Reply(shorten("\n".join(texts), MESSAGE_TEXT), tuple(blocks)) for texts, blocks in messages]
    return Reply(first.text, first.blocks, tuple(further))


def _button_texts(block: Block) -> list[str]:
    elements = block["elements"] if block.get("type") == "actions" else []
    return [element["text"]["text"] for element in elements if element["type"] == "button"]


def _labelled(block: Block, repeated: Collection[str], about: str) -> Block:
    """Return a row whose buttons with a repeated text tell screen readers which reply they are about."""
    if not set(_button_texts(block)) & set(repeated):
        return block
    elements = [
        element | accessibility_label(element["text"]["text"], about)
        if element["type"] == "button" and element["text"]["text"] in repeated
        else element
        for element in block["elements"]
    ]
    return block | {"elements": elements}
