"""Run the inbox's jobs: shares, requests, deletions and uninstalls."""

from __future__ import annotations

import logging
from functools import partial

from bot.domain.jobs import Job, JobKind
from bot.storage.ports.inbox import Inbox
from handlers.jobs.deferred_runner import DeferredRequestRunner
from handlers.jobs.deletions import DeletionRunner
from handlers.jobs.shares import ShareRunner
from handlers.jobs.uninstalls import UninstallRunner
from handlers.replies import delivery
from handlers.slack_errors import TargetGone

log = logging.getLogger(__name__)

NOTICE_LEASE_S = 15.0
"""Shortest lease of a job that is about to send a notice."""


class JobRunner:
    """Dispatches jobs by kind. Each may run again after a crash."""

    def __init__(
        self,
        *,
        shares: ShareRunner,
        deferred: DeferredRequestRunner,
        uninstalls: UninstallRunner,
        deletions: DeletionRunner,
        inbox: Inbox,
    ) -> None:
        self._shares = shares
        self._deferred = deferred
        self._uninstalls = uninstalls
        self._deletions = deletions
        self._inbox = inbox

    async def run(self, job: Job) -> None:
        """Run a job. Any error makes the worker retry it. It sends nothing after its lease has run out."""
        with delivery.checked_posts(partial(self._check_lease, job)):
            match job.kind:
                case JobKind.SHARE:
                    await self._shares.run(job)
                case JobKind.REQUEST:
                    await self._deferred.run(job)
                case JobKind.FORGET:
                    await self._deletions.run(job)
                case JobKind.UNINSTALL:
                    await self._uninstalls.run(job)

    async def give_up(self, job: Job, error: Exception) -> None:
        """Tell the user that a share or request failed for good."""
        with delivery.checked_posts(partial(self._check_lease, job)):
            if job.kind is JobKind.SHARE:
                await self._shares.give_up(job, error)
            if job.kind is JobKind.REQUEST:
                await self._deferred.give_up(job)

    async def _check_lease(self, job: Job) -> None:
        # Only renew the lease of a share. If it were marked as answering, its next attempt would search the thread.
        is_held = (
            await self._inbox.mark_answering(job)
            if job.kind is JobKind.REQUEST
            else job.id in await self._inbox.extend(job.owner, [job.id], NOTICE_LEASE_S)
        )
        if not is_held:
            raise TargetGone("another process has the job")
