"""Around every listener: a request id, a time, one sentence for any error, and a count of what is under way.

Bolt needs this from us: it loses the acknowledgement of a command whose listener raises straight after it, runs event
listeners as bare tasks that a shutdown would drop, and never tells one delivery from its repetition.
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
from bot.telemetry.logs import request_scope
from bot.telemetry.metrics import Metrics
from handlers.slack_errors import code_of, retry_later

log = logging.getLogger(__name__)

T = TypeVar("T")

Listener = Callable[..., Awaitable[None]]

SendSentence = Callable[[str], Awaitable[None]]
"""Says one sentence to the person who asked."""

PROGRESS_AFTER_S = 2.5

SEEN_CACHE_SIZE = 100_000
SEEN_TTL_S = 60 * 60
"""Slack's last repetition comes about six minutes after the first delivery."""


class ListenerWrapper:
    """Wraps listeners, and counts what is under way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._seen: TTLCache[Hashable, bool] = TTLCache(SEEN_CACHE_SIZE, SEEN_TTL_S, clock)
        self._under_way: set[asyncio.Task[Any]] = set()

    def is_first_delivery(self, *keys: Hashable) -> bool:
        """Whether none of these was seen before; all of them are from now on."""
        # A delivery without an id is like no other.
        named = [key for key in keys if key and key != ("event", "")]
        fresh = not any(key in self._seen for key in named)
        for key in named:
            self._seen[key] = True
        return fresh

    def wrap(self, listen: Listener) -> Listener:
        """The listener, never raising."""

        @functools.wraps(listen)
        async def guarded(**arguments: Any) -> None:
            started = time.perf_counter()
            with self.in_flight(), request_scope():
                outcome = await _run(listen, arguments)
                name = getattr(listen, "__qualname__", "listener")
                log.debug("%s: %s in %.3f s", name, outcome, time.perf_counter() - started)

        return guarded

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """What the current task does inside is waited for by ``drain``."""
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)

    async def drain(self, timeout_s: float) -> int:
        """Wait for what is under way; how many were still at it when the time was over."""
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            # A delivery that is just done has scheduled its listener, which is counted from its first step on.
            await asyncio.sleep(0)
            if not self._under_way:
                return 0
            await asyncio.wait(set(self._under_way), timeout=left)
        return len(self._under_way)


async def _run(listen: Listener, arguments: dict[str, Any]) -> str:
    try:
        await listen(**arguments)
    except SlackApiError as error:
        # Its text repeats the whole response; the code says enough.
        log.error("Slack refused: %s", code_of(error))  # noqa: TRY400
    except Exception:
        log.exception("a listener failed")
    else:
        return "done"
    return "failed"


@asynccontextmanager
async def report_errors(send: SendSentence, metrics: Metrics) -> AsyncIterator[None]:
    """Whatever goes wrong inside becomes one sentence to the person whose doing it was, and to nobody else."""
    try:
        yield
    except UserError as error:
        await try_to_send(send, str(error))
    except BackendError as error:
        log.exception("the search back end failed")
        metrics.backend_error(type(error).__name__)
        await try_to_send(send, error.user_message)
    except RetryLater as error:
        log.warning("not now: %s", error)
        await try_to_send(send, SLACK_BUSY)
    except SlackApiError as error:
        log.error("Slack refused: %s", code_of(error))  # noqa: TRY400
        await try_to_send(send, SLACK_BUSY if retry_later(error) else FAILED)
    except Exception:
        log.exception("a request failed")
        await try_to_send(send, FAILED)


async def try_to_send(send: SendSentence, sentence: str) -> None:
    """Say it; that it can't be said goes to the log alone."""
    try:
        await send(sentence)
    except SlackApiError as error:
        log.error("the person could not be told: %s", code_of(error))  # noqa: TRY400
    except Exception:
        log.exception("the person could not be told")


async def with_progress(work: Awaitable[T], send: SendSentence) -> T:
    """The work's result; if it takes long, the person is told once that it goes on."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=PROGRESS_AFTER_S)
        if not done:
            await try_to_send(send, STILL_WORKING)
        return await task
    finally:
        task.cancel()
