"""Deferred requests: a process without workers stores requests that need pictures in the inbox for other processes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from bot.blocks.wording.errors import NOT_STARTED_YET
from bot.domain.errors import BackendError
from bot.domain.jobs import JobKind, NewJob
from bot.storage.ports.inbox import Inbox
from handlers.errors import SendSentence, try_to_send
from handlers.parsing.payloads import Mention, encode_request
from handlers.parsing.payloads.common import enterprise_of, text, workspace_of

SINGLE_FILE = "-"
"""File id of request jobs. A job needs at least one."""

BUSY_NOTICE_AFTER_S = 5.0
"""Delay before the requester of an unclaimed request is told that the workers are busy."""

_NAME_BYTES = 8

log = logging.getLogger(__name__)


class RequestDeferral(Protocol):
    """Decides where requests that need pictures are run."""

    async def defer(self, body: Mapping[str, Any], send: SendSentence | None = None) -> bool:
        """Queue the delivery for a worker and return True, or return False to run it in this process.

        Args:
            body: Slack's payload.
            send: Tells the requester if no worker claims the request in time.

        Raises BackendError.
        """
        ...


class InlineRequests:
    """Runs all requests in this process."""

    async def defer(self, body: Mapping[str, Any], send: SendSentence | None = None) -> bool:  # noqa: ARG002 - the port's
        """Return False."""
        return False


class DeferredRequests:
    """Stores requests in the inbox for worker processes."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._notice_tasks: set[asyncio.Task[None]] = set()

    async def defer(self, body: Mapping[str, Any], send: SendSentence | None = None) -> bool:
        """Add the request to the inbox, and return True. Repeated deliveries add one job. Raises BackendError."""
        job = _request_job(body)
        if await self._inbox.put(job) and send is not None:
            notice_task = asyncio.create_task(self._send_busy_notice(job, send))
            self._notice_tasks.add(notice_task)
            notice_task.add_done_callback(self._notice_tasks.discard)
        return True

    async def close(self) -> None:
        """Cancel pending notices. Queued requests are still answered."""
        for task in self._notice_tasks:
            task.cancel()
        await asyncio.gather(*self._notice_tasks, return_exceptions=True)

    async def _send_busy_notice(self, job: NewJob, send: SendSentence) -> None:
        await asyncio.sleep(BUSY_NOTICE_AFTER_S)
        try:
            is_queued = await self._inbox.is_waiting(job)
        except BackendError as error:
            log.warning("can't tell whether a request is still queued: %s", error)
            return
        if is_queued:
            await try_to_send(send, NOT_STARTED_YET)


def mention_job(mention: Mention, body: Mapping[str, Any]) -> NewJob:
    """Return the job for a mention.

    The key is the message, not the event: Slack sends two kinds of events for one message and may deliver each of them
    more than once, to any process.
    """
    channel_key = f"mention:{mention.channel}"
    payload = encode_request(body)
    return NewJob(
        JobKind.REQUEST, mention.workspace, mention.enterprise, channel_key, mention.ts, (SINGLE_FILE,), payload
    )


def _request_job(body: Mapping[str, Any]) -> NewJob:
    # Each action and command has its own trigger id. Hash it, because it may be longer than the column.
    trigger = text(body.get("trigger_id")) or secrets.token_hex(_NAME_BYTES)
    name = hashlib.blake2b(trigger.encode(errors="replace"), digest_size=_NAME_BYTES).hexdigest()
    workspace, enterprise = workspace_of(body), enterprise_of(body)
    return NewJob(JobKind.REQUEST, workspace, enterprise, "request", name, (SINGLE_FILE,), encode_request(body))
