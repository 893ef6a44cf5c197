"""Slack's limits for messages, modals and App Home, and functions that keep text and blocks within them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

Block = dict[str, Any]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
SECTION_TEXT = 3000
HEADER_TEXT = 150
BUTTON_TEXT = 75
ACCESSIBILITY_LABEL = 75
LABEL_TEXT = 2000
PLACEHOLDER_TEXT = 150
OPTION_TEXT = 75
OPTION_VALUE = 150
OVERFLOW_OPTIONS = 5
VIEW_TITLE = 24
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
ALT_TEXT = 2000
IMAGE_URL = 3000
OPTIONS = 100
"""Of a select without groups, or of one group; a select may have 100 groups."""

MESSAGE_TEXT = 3000
"""Slack takes 40,000 characters of top-level text, but only notifications and screen readers use it."""

TOTAL_CHARACTERS = 12_000
"""Undocumented: Slack answers msg_blocks_too_long from about 13,200 characters on."""

MARKER_ROOM = 64
"""Characters that are kept free for the marker, which a message gets only when it is sent."""

VIEW_BYTES = 250_000
"""Beyond this, Slack answers view_too_large, so a select holds far fewer options than its groups would take."""

# The last two ranges change the direction of the text that follows: a file's name could make a sentence read otherwise.
_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def length(text: str) -> int:
    """Return the number of characters as Slack counts them: UTF-16 code units, so most emoji are two."""
    return len(text) + sum(character > "\uffff" for character in text)


def shorten(text: str, max_length: int) -> str:
    """Cut the text to at most ``max_length`` characters as Slack counts them, and end a cut text with an ellipsis."""
    if length(text) <= max_length:
        return text
    left, end = max_length - 1, 0
    for character in text:
        left -= length(character)
        if left < 0:
            break
        end += 1
    return text[:end].rstrip() + "…"


def sendable(text: str) -> str:
    """Remove control characters, lone surrogates and marks that change the direction of text."""
    return _UNSENDABLE.sub("", text).strip()


def escape(text: str) -> str:
    """Escape text so that mrkdwn reads no mention or link in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(max_parts: int, build: Callable[[int], Sequence[Block]]) -> tuple[Block, ...]:
    """Return the longest message that fits Slack's limits.

    Args:
        max_parts: number of parts that there are.
        build: returns the blocks of a message with the given number of parts.

    """
    for parts in range(min(max_parts, MESSAGE_BLOCKS), -1, -1):
        blocks = build(parts)
        if fits(blocks):
            return tuple(blocks)
    return ()


def fits(blocks: Sequence[Block]) -> bool:
    """Return whether Slack takes the blocks in one message, with a marker."""
    return len(blocks) <= MESSAGE_BLOCKS and size(blocks) <= TOTAL_CHARACTERS - MARKER_ROOM


def size(blocks: Sequence[Block]) -> int:
    """Return the number of characters of the blocks as they are sent."""
    return length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
