"""Slack's limits for messages, modals and App Home, and how what we say is kept inside them."""

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
LABEL_TEXT = 2000
PLACEHOLDER_TEXT = 150
OPTION_TEXT = 75
VIEW_TITLE = 24
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
ALT_TEXT = 2000
IMAGE_URL = 3000
OPTIONS = 100
"""Of a select without groups, or of one group; there may be as many groups."""

MESSAGE_TEXT = 3000
"""Top-level text may have 40,000, but it only serves notifications and screen readers."""

TOTAL_CHARACTERS = 12_000
"""Undocumented: Slack answers msg_blocks_too_long from about 13,200 characters on."""

VIEW_BYTES = 250_000
"""Slack answers view_too_large beyond that, so that a select holds far fewer options than its groups would take."""

# The last two ranges turn text around, and what follows it too: a file can be named so that a sentence reads otherwise.
_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def length(text: str) -> int:
    """Characters as Slack counts them: an emoji may be two."""
    return len(text) + sum(character > "\uffff" for character in text)


def shorten(text: str, max_length: int) -> str:
    """The text, or its beginning and an ellipsis, in at most ``max_length`` characters as Slack counts them."""
    if length(text) <= max_length:
        return text
    room, end = max_length - 1, 0
    for character in text:
        room -= length(character)
        if room < 0:
            break
        end += 1
    return text[:end].rstrip() + "…"


def sendable(text: str) -> str:
    """Without the control characters and lone surrogates that can't be encoded or shown, or that turn text around."""
    return _UNSENDABLE.sub("", text).strip()


def escape(text: str) -> str:
    """Text that mrkdwn must not read as a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(max_length: int, build: Callable[[int], Sequence[Block]]) -> tuple[Block, ...]:
    """The largest message.

    ``build`` is asked for one with as many parts as fit, up to ``max_length``, none of them cut.
    """
    for parts in range(min(max_length, MESSAGE_BLOCKS), -1, -1):
        blocks = build(parts)
        if fits(blocks):
            return tuple(blocks)
    return ()


def fits(blocks: Sequence[Block]) -> bool:
    """Whether Slack takes them in one message."""
    return len(blocks) <= MESSAGE_BLOCKS and size(blocks) <= TOTAL_CHARACTERS


def size(blocks: Sequence[Block]) -> int:
    """Characters of the blocks as they are sent."""
    return length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
