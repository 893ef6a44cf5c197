"""Tell people that no worker has started on their request yet."""

from __future__ import annotations

import asyncio
import logging

from bot.blocks.wording.errors import NOT_STARTED_YET
from bot.domain.errors import BackendError
from bot.domain.jobs import NewJob
from bot.storage.ports.inbox import Inbox
from handlers.errors import SendSentence, try_to_send

BUSY_NOTICE_AFTER_S = 5.0
"""Delay before a person is told that the workers are busy."""

MAX_WATCHED = 1000
"""Jobs that are watched at the same time. In a backlog of more, a notice would come too late anyway."""

log = logging.getLogger(__name__)


class WaitingNotices:
    """Watches new jobs of this process's deliveries until a worker claims them."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, job: NewJob, send: SendSentence) -> None:
        """Send one sentence if no worker has claimed the job in time."""
        if len(self._tasks) < MAX_WATCHED:
            task = asyncio.create_task(self._send_if_waiting(job, send))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel pending notices. The jobs are still run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_if_waiting(self, job: NewJob, send: SendSentence) -> None:
        await asyncio.sleep(BUSY_NOTICE_AFTER_S)
        try:
            is_queued = await self._inbox.is_waiting(job)
        except BackendError as error:
            log.warning("can't tell whether a request is still queued: %s", error)
            return
        if is_queued:
            await try_to_send(send, NOT_STARTED_YET)
