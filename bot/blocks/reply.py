"""A message as values: what Slack's chat and response methods take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks.ids import BlockId
from bot.blocks.limits import (
    BUTTON_TEXT,
    CONFIRM_BUTTON,
    CONFIRM_TEXT,
    CONFIRM_TITLE,
    HEADER_TEXT,
    MESSAGE_TEXT,
    SECTION_TEXT,
    Block,
    escape,
    shorten,
)
from bot.blocks.wording import MAX_SENTENCE, escape_sentence, one_line


@dataclass(frozen=True, slots=True)
class Reply:
    """``text`` is for notifications and screen readers and always there; ``blocks`` is what others see."""

    text: str
    blocks: tuple[Block, ...]


def with_marker(reply: Reply, marker: str) -> Reply:
    """The same, its first block named so that the message is known again in its thread."""
    first, *others = reply.blocks
    return Reply(reply.text, (first | {"block_id": f"{BlockId.SUMMARY}:{marker}"}, *others))


def notice(sentence: str, block_id: str = BlockId.NOTICE) -> Reply:
    """One sentence of ours that may quote somebody; nothing in it becomes a mention, a link or emphasis."""
    text = escape(shorten(one_line(sentence), MAX_SENTENCE)) or "That did not work."
    return Reply(text, (section(escape_sentence(sentence) or text, block_id),))


def mrkdwn_reply(mrkdwn: str, *blocks: Block) -> Reply:
    """Text that is ours or was escaped, and what stands below it."""
    return Reply(shorten(mrkdwn, MESSAGE_TEXT), (section(mrkdwn, BlockId.NOTICE), *blocks))


def section(mrkdwn: str, block_id: str = "") -> Block:
    """A paragraph of text that is ours or was escaped."""
    return _named({"type": "section", "text": _mrkdwn(mrkdwn)}, block_id)


def context_block(mrkdwn: str, block_id: str = "") -> Block:
    """A line in small grey letters, of text that is ours or was escaped."""
    return _named({"type": "context", "elements": [_mrkdwn(mrkdwn)]}, block_id)


def verbatim(text: str, max_length: int) -> Block:
    """Somebody's text as it is: plain_text knows no mentions, links, emphasis or emoji codes."""
    return {"type": "context", "elements": [plain_text(text, max_length)]}


def heading(text: str) -> Block:
    """A line in large letters, verbatim."""
    return {"type": "header", "text": plain_text(text, HEADER_TEXT)}


def plain_text(text: str, max_length: int) -> Block:
    """A text object that shows each character as it is."""
    return {"type": "plain_text", "text": shorten(text, max_length), "emoji": False}


def button(text: str, action_id: str, value: str, *, style: str = "", confirm: Block | None = None) -> Block:
    """Something to press; ``style`` is primary, danger or nothing."""
    element: Block = {
        "type": "button",
        "text": plain_text(text, BUTTON_TEXT),
        "action_id": str(action_id),
        "value": value,
    }
    if style:
        element["style"] = style
    return element if confirm is None else element | {"confirm": confirm}


def confirmation(title: str, text: str, yes: str, no: str) -> Block:
    """The question that Slack asks before it tells us of a press."""
    return {
        "title": plain_text(title, CONFIRM_TITLE),
        "text": plain_text(text, CONFIRM_TEXT),
        "confirm": plain_text(yes, CONFIRM_BUTTON),
        "deny": plain_text(no, CONFIRM_BUTTON),
        "style": "danger",
    }


def buttons(elements: Sequence[Block], block_id: str = "") -> Block:
    """Things to press, beside each other where there is room."""
    return _named({"type": "actions", "elements": list(elements)}, block_id)


def _mrkdwn(text: str) -> Block:
    # Verbatim: else Slack makes links of what looks like an address.
    return {"type": "mrkdwn", "text": shorten(text, SECTION_TEXT), "verbatim": True}


def _named(block: Block, block_id: str) -> Block:
    return block | {"block_id": str(block_id)} if block_id else block
