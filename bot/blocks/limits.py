"""Slack's limits for messages, and how an answer is kept inside them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Block = dict[str, Any]

MESSAGE_BLOCKS = 50
SECTION_TEXT = 3000
HEADER_TEXT = 150
MESSAGE_TEXT = 3000
"""Top-level text may have 40,000, but it only serves notifications and screen readers."""

TOTAL_CHARACTERS = 12_000
"""Undocumented: Slack answers msg_blocks_too_long from about 13,200 characters on."""

_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def length(text: str) -> int:
    """Characters as Slack counts them: an emoji may be two."""
    return len(text) + sum(character > "\uffff" for character in text)


def shorten(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis, in at most ``most`` characters as Slack counts them."""
    if length(text) <= most:
        return text
    room, end = most - 1, 0
    for character in text:
        room -= length(character)
        if room < 0:
            break
        end += 1
    return text[:end].rstrip() + "…"


def sendable(text: str) -> str:
    """Without the control characters and lone surrogates that can't be encoded or shown."""
    return _UNSENDABLE.sub("", text).strip()


def escape(text: str) -> str:
    """Text that mrkdwn must not read as a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(groups: Sequence[Sequence[Block]], closing: Callable[[int], Iterable[Block]]) -> tuple[Block, ...]:
    """As many groups as fit, in order, none of them cut; ``closing`` is told how many were left out."""
    for kept in range(len(groups), -1, -1):
        blocks = [block for group in groups[:kept] for block in group]
        blocks += closing(len(groups) - kept)
        if len(blocks) <= MESSAGE_BLOCKS and size(blocks) <= TOTAL_CHARACTERS:
            return tuple(blocks)
    return ()


def size(blocks: Sequence[Block]) -> int:
    """Characters of the blocks as they are sent."""
    return length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
