"""Attempts to send one reply: check that it may still be posted, and send less if Slack refuses its blocks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.blocks.limits import Block
from bot.blocks.messages.fallback import with_plain_buttons, without_pictures
from bot.blocks.reply import Reply
from handlers.slack_errors import code_of, problems_of

log = logging.getLogger(__name__)

BLOCK_ERRORS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_attachments"})

ANSWER_TIMEOUT_S = 30
"""Longest time from the check of a job's lease to the end of the post. The inbox gives a living owner longer than that
before another worker may answer."""

Send = Callable[[str, list[Block] | None], Awaitable[Any]]

BeforePost = Callable[[], Awaitable[None]]
"""Called right before each post. It raises an error if the message may not be posted any more."""


async def _allow() -> None:
    """Allow every post."""


_before_post: ContextVar[BeforePost] = ContextVar("before_post", default=_allow)


@contextmanager
def checked_posts(check: BeforePost) -> Iterator[None]:
    """Call ``check`` right before each message that is sent in this context, each attempt with fewer blocks included.

    A message that isn't sent within ANSWER_TIMEOUT_S after its check is given up with TimeoutError.
    """
    token = _before_post.set(check)
    try:
        yield
    finally:
        _before_post.reset(token)


@asynccontextmanager
async def checked() -> AsyncIterator[None]:
    """Check that a message may be posted, and limit the time of the post inside."""
    check = _before_post.get()
    if check is _allow:
        yield
        return
    await check()
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        yield


class ThumbSupport:
    """Whether Slack takes thumbs: ``context_actions``, which not every Slack has.

    Slack doesn't say so beforehand. After it refused a message with thumbs and named no other reason, this process
    sends ordinary buttons.
    """

    def __init__(self) -> None:
        self.is_refused = False

    def note_refusal(self, problem: str) -> None:
        """Note that a message with thumbs was refused. ``problem``: Slack's reasons; empty if it gave none."""
        self.is_refused |= not problem or names_thumbs(problem)


def names_thumbs(problem: str) -> bool:
    """Return whether Slack's reasons for refusing a message name the thumbs."""
    return "context_actions" in problem or "feedback_buttons" in problem


thumb_support = ThumbSupport()


async def send_reply(send: Send, reply: Reply) -> bool:
    """Send a reply; if Slack refuses its blocks, send simpler ones, and at last only its text.

    Returns whether Slack took all pictures. Raises SlackApiError.
    """
    blocks = first_blocks(reply)
    while True:
        try:
            async with checked():
                await send(reply.text, None if blocks is None else list(blocks))
        except SlackApiError as error:
            code = code_of(error)
            if code not in BLOCK_ERRORS or blocks is None:
                raise
            log.warning("Slack refused the blocks (%s): sending less", code)
            blocks = simpler_blocks(blocks, problems_of(error))
        else:
            return blocks in (reply.blocks, with_plain_buttons(reply.blocks))


def first_blocks(reply: Reply) -> tuple[Block, ...] | None:
    """Return the blocks to send first: those of the reply, as far as Slack is known to take them."""
    return with_plain_buttons(reply.blocks) if thumb_support.is_refused else reply.blocks


def simpler_blocks(blocks: tuple[Block, ...], problem: str) -> tuple[Block, ...] | None:
    """Return what to send after Slack refused blocks; None for the text alone. ``problem``: Slack's reasons, if any."""
    plain = with_plain_buttons(blocks)
    if plain != blocks:
        thumb_support.note_refusal(problem)
        if names_thumbs(problem):
            return plain
    lighter = without_pictures(plain)
    return None if lighter == blocks else lighter
