"""Answers that are edited in place once the text of their pictures is read, if the text changes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context

from bot.blocks.reply import Reply
from bot.domain.errors import BackendError, UserError
from bot.services.search.lookup import LookupResult
from handlers.slack_errors import UNREACHABLE

log = logging.getLogger(__name__)

MAX_RUNNING = 20
"""Answers that wait for texts. Further ones stay as they are."""

TIMEOUT_S = 120.0
"""Age at which an answer is left as it is. People have read it by then."""

EditAnswer = Callable[[Reply], Awaitable[None]]
"""Turns the posted answer into another one. Raises what Slack's client raises."""

NewAnswer = Callable[[], Awaitable[Reply | None]]
"""Waits for the texts, and returns the answer with them; None if they change nothing. Raises BotError."""


class TextUpdates:
    """Runs updates beside everything else. They are lost with the process, and the answers stay as they are."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def later(self, results: Sequence[LookupResult], new: NewAnswer) -> LaterAnswer | None:
        """Return the later version of an answer, or None if no text is awaited."""
        return LaterAnswer(self, new) if any(result.pending for result in results) else None

    def begin(self, new: NewAnswer, edit: EditAnswer) -> None:
        """Edit an answer that was posted, once its texts are read."""
        if len(self._running) >= MAX_RUNNING:
            return
        # Not in the job's context: its lease ends with the answer, and the edit doesn't need it.
        task = asyncio.create_task(_update(new, edit), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Give up what waits."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class LaterAnswer:
    """The version of an answer with texts. Implements ``bot.blocks.reply.LaterReply``."""

    def __init__(self, updates: TextUpdates, new: NewAnswer) -> None:
        self._updates = updates
        self._new = new

    def begin(self, edit: EditAnswer) -> None:
        """Edit the posted answer once the texts are read."""
        self._updates.begin(self._new, edit)


async def _update(new: NewAnswer, edit: EditAnswer) -> None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reply = await new()
            if reply is not None:
                await edit(reply)
    except (BackendError, UserError, TimeoutError, *UNREACHABLE) as error:
        # The answer is right without the texts.
        log.info("an answer was not edited: %s", type(error).__name__)
    except Exception:
        log.exception("an answer could not be edited")
