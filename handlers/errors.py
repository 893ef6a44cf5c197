"""Wrap every listener with a request id, timing, error handling, and tracking for a graceful shutdown.

Bolt lacks these: it loses the acknowledgement of a command if the listener raises right after it, runs event
listeners as tasks that a shutdown would drop, and doesn't recognise repeated deliveries.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError

from bot.blocks.wording.errors import FAILED, SLACK_BUSY, STILL_WORKING
from bot.domain.errors import BackendError, RetryLater, UserError
from bot.telemetry import traces
from bot.telemetry.logs import request_scope
from bot.telemetry.metrics import Metrics
from handlers.slack_errors import code_of, retry_later

log = logging.getLogger(__name__)

T = TypeVar("T")

Listener = Callable[..., Awaitable[None]]

SendSentence = Callable[[str], Awaitable[None]]
"""Sends one sentence to the requester."""

PROGRESS_AFTER_S = 2.5
"""Delay before the requester is told that the work takes longer."""

DELETION_PROGRESS_AFTER_S = 1.0
"""The same delay for deletions."""

SEEN_CACHE_SIZE = 100_000
SEEN_TTL_S = 60 * 60
"""Slack's last retry comes about six minutes after the first delivery."""


class ListenerWrapper:
    """Wraps listeners, tracks running tasks, and recognises repeated deliveries."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._seen: TTLCache[Hashable, bool] = TTLCache(SEEN_CACHE_SIZE, SEEN_TTL_S, clock)
        self._running: set[asyncio.Task[Any]] = set()

    def is_first_delivery(self, *keys: Hashable) -> bool:
        """Return whether none of the keys was seen before, and remember all of them."""
        # A delivery without an id can't be recognised.
        known_keys = [key for key in keys if key and key != ("event", "")]
        is_first = not any(key in self._seen for key in known_keys)
        for key in known_keys:
            self._seen[key] = True
        return is_first

    def wrap(self, listen: Listener) -> Listener:
        """Return a listener that logs errors instead of raising them."""

        @functools.wraps(listen)
        async def wrapped(**arguments: Any) -> None:
            started = time.perf_counter()
            name = getattr(listen, "__qualname__", "listener")
            with self.in_flight(), request_scope() as scope, traces.span(f"listener {name}", request_id=scope):
                outcome = await _run(listen, arguments)
                log.debug("%s: %s in %.3f s", name, outcome, time.perf_counter() - started)

        return wrapped

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Make ``drain`` wait for the current task while the context is open."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            yield
        finally:
            self._running.discard(task)

    async def drain(self, timeout_s: float) -> int:
        """Wait for running tasks, and return how many were still running after ``timeout_s`` seconds."""
        end = time.monotonic() + timeout_s
        while (remaining_s := end - time.monotonic()) > 0:
            # A finished delivery may have scheduled its listener. Let it take its first step, so that it is counted.
            await asyncio.sleep(0)
            if not self._running:
                return 0
            await asyncio.wait(set(self._running), timeout=remaining_s)
        return len(self._running)


async def _run(listen: Listener, arguments: dict[str, Any]) -> str:
    try:
        await listen(**arguments)
    except SlackApiError as error:
        # Log only the code: the error's text contains the whole response.
        log.error("Slack refused: %s", code_of(error))  # noqa: TRY400
    except Exception:
        log.exception("a listener failed")
    else:
        return "done"
    return "failed"


@asynccontextmanager
async def report_errors(send: SendSentence, metrics: Metrics) -> AsyncIterator[None]:
    """Turn any error inside the context into one sentence, sent only to the requester."""
    try:
        yield
    except UserError as error:
        await try_to_send(send, str(error))
    except BackendError as error:
        log.exception("the search back end failed")
        metrics.backend_error(type(error).__name__)
        await try_to_send(send, error.user_message)
    except RetryLater as error:
        log.warning("a request can't be served now: %s", error)
        await try_to_send(send, SLACK_BUSY)
    except SlackApiError as error:
        log.error("Slack refused: %s", code_of(error))  # noqa: TRY400
        await try_to_send(send, SLACK_BUSY if retry_later(error) else FAILED)
    except Exception:
        log.exception("a request failed")
        await try_to_send(send, FAILED)


async def try_to_send(send: SendSentence, sentence: str) -> None:
    """Send a sentence. Log a failure instead of raising it."""
    try:
        await send(sentence)
    except SlackApiError as error:
        log.error("could not reply to the requester: %s", code_of(error))  # noqa: TRY400
    except Exception:
        log.exception("could not reply to the requester")


async def with_progress(
    work: Awaitable[T], send: SendSentence, *, after_s: float = PROGRESS_AFTER_S, text: str = STILL_WORKING
) -> T:
    """Return the result of the work. If it takes longer than ``after_s`` seconds, send one progress message."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=after_s)
        if not done:
            await try_to_send(send, text)
        return await task
    finally:
        task.cancel()
