"""When a failed job is tried again, and when it is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bot.domain.errors import RetryLater
from bot.domain.jobs import Job

RETRY_DELAYS_S = (2.0, 10.0, 60.0, 300.0)
"""Delays between attempts. They cover a glitch, a restart, Slack's rate limits per minute, and an outage."""

OBLIGATION_DELAYS_S = (1800.0, 3600.0, 7200.0, 14_400.0)
"""Further delays between attempts at an obligation. The last one repeats until it is fulfilled."""

JITTER = 0.2
"""Retry delays vary by this fraction, so that jobs that failed together aren't retried together."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Delays between attempts in seconds. There is one more attempt than there are delays.

    For obligations, OBLIGATION_DELAYS_S follow, and no attempt is the last.
    """

    delays_s: tuple[float, ...] = RETRY_DELAYS_S

    def is_past_last(self, job: Job) -> bool:
        """Return whether the job's last attempt was before this one."""
        return job.attempts > len(self.delays_s) + 1 and not job.kind.is_obligation

    def is_last(self, job: Job) -> bool:
        """Return whether this attempt is the job's last."""
        return self.has_used_all_delays(job) and not job.kind.is_obligation

    def has_used_all_delays(self, job: Job) -> bool:
        """Return whether this attempt follows the last delay. An obligation then has further ones."""
        return job.attempts > len(self.delays_s)

    def delay_s(self, job: Job, error: Exception) -> float:
        """Return the seconds until the next attempt after ``error``."""
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not used for security
        delays = (*self.delays_s, *OBLIGATION_DELAYS_S) if job.kind.is_obligation else self.delays_s
        delay = delays[min(max(job.attempts, 1), len(delays)) - 1] * jitter
        return max(delay, error.after_s) if isinstance(error, RetryLater) else delay
