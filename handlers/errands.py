"""Requests that need a look at a picture: a process that does no jobs leaves them to those that do."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from bot.conversations import JobKind, NewJob
from bot.storage.base import Inbox
from handlers.payloads import Mention, encode_request
from handlers.payloads.reading import enterprise_of, text, workspace_of

ONLY = "-"
"""Jobs have files; of a request there is one."""

_NAME_BYTES = 8


class Errands(Protocol):
    """Where requests are seen to that need a look at a picture."""

    async def pass_on(self, body: Mapping[str, Any]) -> bool:
        """Leave this delivery to somebody else; False: it is to be done here. Raises BackendError."""
        ...


class DoneHere:
    """A process that looks at pictures itself."""

    async def pass_on(self, body: Mapping[str, Any]) -> bool:  # noqa: ARG002 - the port's
        """Never."""
        return False


class LeftToWorkers:
    """A process that takes deliveries alone: whoever does jobs goes on where it stopped."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def pass_on(self, body: Mapping[str, Any]) -> bool:
        """Put it into the inbox. Delivered twice, it is there once. Raises BackendError."""
        await self._inbox.put(_request_job(body))
        return True


def mention_job(mention: Mention, body: Mapping[str, Any]) -> NewJob:
    """What is kept of a mention. Slack tells of one message by events of two kinds, and repeats them to any process."""
    place = f"mention:{mention.channel}"
    payload = encode_request(body)
    return NewJob(JobKind.REQUEST, mention.workspace, mention.enterprise, place, mention.ts, (ONLY,), payload)


def _request_job(body: Mapping[str, Any]) -> NewJob:
    # Each press and each command has a trigger of its own, which may be longer than a name.
    trigger = text(body.get("trigger_id")) or secrets.token_hex(_NAME_BYTES)
    name = hashlib.blake2b(trigger.encode(errors="replace"), digest_size=_NAME_BYTES).hexdigest()
    workspace, enterprise = workspace_of(body), enterprise_of(body)
    return NewJob(JobKind.REQUEST, workspace, enterprise, "request", name, (ONLY,), encode_request(body))
