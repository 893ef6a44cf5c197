"""The leases of a worker's jobs: extend them, and cancel jobs that another worker may have claimed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from bot.storage.ports.inbox import Inbox

log = logging.getLogger(__name__)


class JobLeases:
    """Keeps the leases of running jobs.

    Args:
        inbox: The queue.
        owner: The name that the leases are stored under.
        lease_s: Duration of a lease in seconds. It is extended every third of that.
        running: The tasks of all running jobs, by id. The worker adds and removes them.
    """

    def __init__(self, inbox: Inbox, owner: str, lease_s: float, running: Mapping[int, asyncio.Task[None]]) -> None:
        self._inbox = inbox
        self._owner = owner
        self._lease_s = lease_s
        self._running = running
        self._handling: dict[int, float] = {}
        """The jobs that are being handled, with the time until which their leases are known to last."""
        self._lost: set[int] = set()

    @contextmanager
    def handling(self, job: int, leased_at: float) -> Iterator[None]:
        """Cancel the job's task if its lease runs out inside the ``with`` block."""
        self._handling[job] = leased_at + self._lease_s
        try:
            yield
        finally:
            # From here on, the lease may end: the outcome is recorded only if nobody else has claimed the job.
            self._handling.pop(job, None)

    def is_lost(self, job: int) -> bool:
        """Return whether the running job was cancelled because its lease had run out."""
        return job in self._lost

    def forget(self, job: int) -> None:
        """Forget a job that has ended."""
        self._lost.discard(job)

    async def keep_extending(self) -> None:
        """Extend the leases of running jobs until cancelled. Errors of the inbox don't end it."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            if not self._running:
                continue
            asked, asked_at = tuple(self._running), time.monotonic()
            try:
                held = await self._inbox.extend(self._owner, asked, self._lease_s)
            except Exception:
                log.exception("could not extend the leases of %s jobs", len(asked))
                self._cancel_lost([job for job, until in self._handling.items() if until < time.monotonic()])
                continue
            self._handling.update(dict.fromkeys(held & self._handling.keys(), asked_at + self._lease_s))
            self._cancel_lost([job for job in asked if job in self._handling and job not in held])

    def _cancel_lost(self, jobs: Sequence[int]) -> None:
        for job in jobs:
            log.warning("the lease of job %s has run out; another worker does it", job)
            self._lost.add(job)
            del self._handling[job]
            self._running[job].cancel()
