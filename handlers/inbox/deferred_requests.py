"""Deferred requests: a process without workers stores requests that need pictures in the inbox for other processes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from bot.domain.jobs import JobKind, NewJob
from bot.storage.ports.inbox import Inbox
from handlers.errors import SendSentence
from handlers.inbox.waiting_notices import WaitingNotices
from handlers.parsing.payloads import Mention, encode_request
from handlers.parsing.payloads.common import enterprise_of, text, workspace_of

SINGLE_FILE = "-"
"""File id of request jobs. A job needs at least one."""

_NAME_BYTES = 8


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
        self._notices = WaitingNotices(inbox)

    async def defer(self, body: Mapping[str, Any], send: SendSentence | None = None) -> bool:
        """Add the request to the inbox, and return True. Repeated deliveries add one job. Raises BackendError."""
        job = _request_job(body)
        if await self._inbox.put(job) and send is not None:
            self._notices.watch(job, send)
        return True

    async def close(self) -> None:
        """Cancel pending notices. Queued requests are still answered."""
        await self._notices.close()


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
