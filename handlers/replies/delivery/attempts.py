"""Attempts to send one reply: check that it may still be posted, and send less if Slack refuses its blocks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.blocks.limits import Block
from bot.blocks.messages.fallback import with_plain_buttons, without_pictures
from bot.blocks.reply import Reply
from handlers.slack_errors import code_of

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


async def send_reply(send: Send, reply: Reply) -> bool:
    """Send a reply; if Slack refuses its blocks, send simpler ones, then without pictures, and at last only its text.

    Returns whether Slack took all pictures. Raises SlackApiError.
    """
    for blocks in variants_of(reply):
        try:
            async with checked():
                await send(reply.text, blocks)
        except SlackApiError as error:
            code = code_of(error)
            if code not in BLOCK_ERRORS or blocks is None:
                raise
            log.warning("Slack refused the blocks (%s): sending less", code)
        else:
            return blocks is not None and _is_whole(blocks, reply)
    return False


def variants_of(reply: Reply) -> Iterator[list[Block] | None]:
    """Yield all blocks, those with ordinary buttons only, those without pictures, and None for the text alone."""
    plain = with_plain_buttons(reply.blocks)
    last: tuple[Block, ...] | None = None
    for blocks in (reply.blocks, plain, without_pictures(plain)):
        if blocks != last:
            yield list(blocks)
        last = blocks
    yield None


def _is_whole(blocks: Sequence[Block], reply: Reply) -> bool:
    """Return whether the blocks have all pictures of the reply."""
    return tuple(blocks) in (reply.blocks, with_plain_buttons(reply.blocks))
