"""The status that Slack shows in a thread while an answer takes longer than a moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.wording.errors import STATUS
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import UNKNOWN_TIME
from handlers.slack_errors import UNREACHABLE, code_of, is_outcome_unknown, reason_of

log = logging.getLogger(__name__)

STATUS_AFTER_S = 1.0
"""Delay before the status is shown. Most answers come sooner, and cost no further call."""

LEAST_DELAY_S = 0.3
"""The same for a request that waited in the queue: the answer may now be a moment away."""

CALL_TIMEOUT_S = 3.0

MAX_RUNNING = 200
"""Answers that may show a status at the same time. Further ones show none."""

REFUSED_FOR_S = 3600.0
"""Time in which a workspace that doesn't offer the method isn't asked again."""

_UNAVAILABLE = frozenset({"unknown_method", "missing_scope", "method_deprecated", "feature_not_enabled"})

Sleep = Callable[[float], Awaitable[None]]


def waited_s(since: datetime) -> float:
    """Return the age in seconds of a request that was stored at this time, or 0 if that is unknown."""
    return 0.0 if since == UNKNOWN_TIME else max(0.0, (datetime.now(UTC) - since).total_seconds())


@dataclass(frozen=True, slots=True)
class Thread:
    """The thread that waits for an answer. ``waited_s``: how long the request was in the queue."""

    workspace: WorkspaceId
    channel: str
    ts: str
    waited_s: float = 0.0


@dataclass(slots=True)
class _Answer:
    """What is known of an answer: whether it is over, and whether it was posted in the thread, which ends a status."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_posted: bool = False


class ThreadStatuses:
    """Shows and clears statuses beside the answers. A failure changes nothing but the status."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._running: set[asyncio.Task[None]] = set()
        self._refused: TTLCache[WorkspaceId, bool] = TTLCache(10_000, REFUSED_FOR_S)

    @asynccontextmanager
    async def shown(
        self, client: AsyncWebClient, thread: Thread, is_posted: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[None]:
        """Show a status in the thread if the work takes long, until it is done.

        ``is_posted`` returns whether the work posted a message there. Slack itself clears the status then.
        """
        if not (thread.channel and thread.ts) or self._is_refused(thread) or len(self._running) >= MAX_RUNNING:
            yield
            return
        answer = _Answer()
        # Not in the job's context: the status may have to be cleared after the job's lease has ended.
        task = asyncio.create_task(self._run(client, thread, answer), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            yield
        finally:
            # The answer doesn't wait for a call that is under way.
            answer.is_posted = is_posted()
            answer.over.set()

    async def close(self) -> None:
        """Give up what is shown. Slack clears it after two minutes."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _is_refused(self, thread: Thread) -> bool:
        return thread.workspace in self._refused

    async def _run(self, client: AsyncWebClient, thread: Thread, answer: _Answer) -> None:
        if await self._is_over_soon(thread, answer) or self._is_refused(thread):
            return
        if not await self._set(client, thread, STATUS):
            return
        # Slack may have taken the status after the message that would have cleared it.
        is_late = answer.over.is_set()
        await answer.over.wait()
        if is_late or not answer.is_posted:
            await self._set(client, thread, "")

    async def _is_over_soon(self, thread: Thread, answer: _Answer) -> bool:
        """Wait for the answer, and return whether it came before a status is worth it."""
        delay = asyncio.ensure_future(self._sleep(max(LEAST_DELAY_S, STATUS_AFTER_S - thread.waited_s)))
        over = asyncio.ensure_future(answer.over.wait())
        try:
            await asyncio.wait({delay, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            delay.cancel()
            over.cancel()
        return answer.over.is_set()

    async def _set(self, client: AsyncWebClient, thread: Thread, status: str) -> bool:
        """Set the status; an empty one clears it. Return whether Slack may show it now."""
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await client.assistant_threads_setStatus(channel_id=thread.channel, thread_ts=thread.ts, status=status)
        except SlackApiError as error:
            code = code_of(error)
            if code in _UNAVAILABLE or code.startswith("not_allowed"):
                self._refused[thread.workspace] = True
            log.debug("assistant.threads.setStatus: %s", code)
            return is_outcome_unknown(error)
        except UNREACHABLE as error:
            log.debug("assistant.threads.setStatus: %s", reason_of(error))
            # Slack may have taken it though its answer didn't come.
            return True
        except Exception:
            log.debug("assistant.threads.setStatus failed", exc_info=True)
            return False
        return True
