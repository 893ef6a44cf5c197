"""Around every listener: a request id, a time, one sentence for any error, and a count of what is under way.

Bolt needs this from us: it loses the acknowledgement of a command whose listener raises straight after it, runs event
listeners as bare tasks that a shutdown would drop, and never tells one delivery from its repetition.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError

from bot.blocks.reply import notice
from bot.errors import BackendError, UserError
from bot.logs import request_scope
from handlers import delivery

log = logging.getLogger(__name__)

Listener = Callable[..., Awaitable[None]]

FAILED = "Something went wrong on my side, so this could not be looked up. Please try again in a minute."
BUSY = "The image search can't be reached right now. Please try again in a minute."

REMEMBERED = 100_000
REMEMBERED_S = 60 * 60
"""Slack's last repetition comes about six minutes after the first delivery."""


class Guard:
    """Wraps listeners, which take ``body`` and whatever is needed to answer: ``respond``, or ``client``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._seen: TTLCache[Hashable, bool] = TTLCache(REMEMBERED, REMEMBERED_S, clock)
        self._under_way: set[asyncio.Task[Any]] = set()

    def first_time(self, *keys: Hashable) -> bool:
        """Whether none of these was seen before; all of them are from now on."""
        fresh = not any(key in self._seen for key in keys)
        for key in keys:
            self._seen[key] = True
        return fresh

    def wrap(self, listen: Listener) -> Listener:
        """The listener, never raising."""

        @functools.wraps(listen)
        async def guarded(**arguments: Any) -> None:
            started = time.perf_counter()
            with self.counted(), request_scope():
                outcome = await _run(listen, arguments)
                name = getattr(listen, "__qualname__", "listener")
                log.debug("%s: %s in %.3f s", name, outcome, time.perf_counter() - started)

        return guarded

    @contextmanager
    def counted(self) -> Iterator[None]:
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
    except UserError as error:
        await _tell(arguments, str(error))
        return "refused"
    except BackendError:
        log.exception("the search back end failed")
        await _tell(arguments, BUSY)
        return "failed"
    except SlackApiError as error:
        # Its text repeats the whole response; the code says enough. What is no JSON has none.
        code = error.response.get("error") or getattr(error.response, "status_code", "no code")
        log.error("Slack refused: %s", code)  # noqa: TRY400
        return "failed"
    except Exception:
        log.exception("a listener failed")
        await _tell(arguments, FAILED)
        return "failed"
    return "done"


async def _tell(arguments: dict[str, Any], sentence: str) -> None:
    """One sentence to the person whose doing it was, and to nobody else."""
    try:
        if "respond" in arguments:
            await delivery.respond_privately(arguments["respond"], notice(sentence))
        else:
            await delivery.whisper(arguments["client"], arguments["body"], notice(sentence))
    except Exception:
        log.exception("the person could not be told")
