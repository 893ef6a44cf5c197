"""A message as values: what Slack's chat and response methods take."""

from __future__ import annotations

from dataclasses import dataclass

from bot.blocks.ids import BlockId
from bot.blocks.limits import HEADER_TEXT, MESSAGE_TEXT, SECTION_TEXT, Block, escape, sendable, shorten


@dataclass(frozen=True, slots=True)
class Reply:
    """``text`` is for notifications and screen readers and always there; ``blocks`` is what others see."""

    text: str
    blocks: tuple[Block, ...]


def notice(sentence: str) -> Reply:
    """One sentence of ours that may quote somebody; nothing in it becomes a mention or a link."""
    # Escaping makes text up to five times longer.
    text = escape(shorten(sendable(sentence), MESSAGE_TEXT // 5)) or "That did not work."
    return Reply(text, (section(text, BlockId.NOTICE),))


def section(mrkdwn: str, block_id: BlockId | None = None) -> Block:
    """A paragraph of text that is ours or was escaped."""
    block: Block = {"type": "section", "text": {"type": "mrkdwn", "text": shorten(mrkdwn, SECTION_TEXT)}}
    return block if block_id is None else block | {"block_id": str(block_id)}


def small_print(mrkdwn: str, block_id: BlockId | None = None) -> Block:
    """A line in small grey letters, of text that is ours or was escaped."""
    block: Block = {"type": "context", "elements": [{"type": "mrkdwn", "text": shorten(mrkdwn, SECTION_TEXT)}]}
    return block if block_id is None else block | {"block_id": str(block_id)}


def verbatim(text: str, most: int) -> Block:
    """Somebody's text as it is: plain_text knows no mentions, links, emphasis or emoji codes."""
    return {"type": "context", "elements": [{"type": "plain_text", "text": shorten(text, most), "emoji": False}]}


def heading(text: str) -> Block:
    """A line in large letters, verbatim."""
    return {"type": "header", "text": {"type": "plain_text", "text": shorten(text, HEADER_TEXT), "emoji": False}}
