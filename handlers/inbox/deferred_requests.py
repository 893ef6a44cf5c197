"""Requests that need a look at a picture: a process that does no jobs leaves them to those that do."""

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
"""Jobs have files; of a request there is one."""

BUSY_NOTICE_AFTER_S = 5.0
"""A request that nobody has taken up by then is worth a word."""

_NAME_BYTES = 8

log = logging.getLogger(__name__)


class RequestDeferral(Protocol):
    """Where requests are seen to that need a look at a picture."""

    async def defer(self, body: Mapping[str, Any], send: SendSentence | None = None) -> bool:
        """Leave this delivery to somebody else; False: it is to be done here. Raises BackendError.

        ``send`` is for a word to whoever waits, should nobody take it up for long.
        """
        ...


class InlineRequests:
    """A process that looks at pictures itself."""

    async def defer(self, body: Mapping[str, Any], send: SendSentence | None = None) -> bool:  # noqa: ARG002 - the port's
        """Never."""
        return False


class DeferredRequests:
    """A process that takes deliveries alone: whoever does jobs goes on where it stopped."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._watched: set[asyncio.Task[None]] = set()

    async def defer(self, body: Mapping[str, Any], send: SendSentence | None = None) -> bool:
        """Put it into the inbox. Delivered twice, it is there once. Raises BackendError."""
        job = _request_job(body)
        if await self._inbox.put(job) and send is not None:
            watching = asyncio.create_task(self._watch(job, send))
            self._watched.add(watching)
            watching.add_done_callback(self._watched.discard)
        return True

    async def close(self) -> None:
        """Watch nothing any more; what waits is answered all the same."""
        for task in self._watched:
            task.cancel()
        await asyncio.gather(*self._watched, return_exceptions=True)

    async def _watch(self, job: NewJob, send: SendSentence) -> None:
        await asyncio.sleep(BUSY_NOTICE_AFTER_S)
        try:
            waits = await self._inbox.is_waiting(job)
        except BackendError as error:
            log.warning("whether a request waits can't be told: %s", error)
            return
        if waits:
            await try_to_send(send, NOT_STARTED_YET)


def mention_job(mention: Mention, body: Mapping[str, Any]) -> NewJob:
    """What is kept of a mention. Slack tells of one message by events of two kinds, and repeats them to any process."""
    place = f"mention:{mention.channel}"
    payload = encode_request(body)
    return NewJob(JobKind.REQUEST, mention.workspace, mention.enterprise, place, mention.ts, (SINGLE_FILE,), payload)


def _request_job(body: Mapping[str, Any]) -> NewJob:
    # Each press and each command has a trigger of its own, which may be longer than a name.
    trigger = text(body.get("trigger_id")) or secrets.token_hex(_NAME_BYTES)
    name = hashlib.blake2b(trigger.encode(errors="replace"), digest_size=_NAME_BYTES).hexdigest()
    workspace, enterprise = workspace_of(body), enterprise_of(body)
    return NewJob(JobKind.REQUEST, workspace, enterprise, "request", name, (SINGLE_FILE,), encode_request(body))
