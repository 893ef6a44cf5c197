"""What Slack delivers once and for all goes to the inbox before it is acknowledged, so that a crash loses nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cachetools import TTLCache
from slack_bolt.response import BoltResponse

from bot.domain.errors import BackendError
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import JobKind, NewJob
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.inbox import Inbox
from handlers.inbox.deferred_requests import mention_job
from handlers.parsing.payloads import (
    ImageShare,
    SlackDeletion,
    Uninstall,
    encode_deletion,
    encode_share,
    encode_uninstall,
    parse_deletion,
    parse_mention,
    parse_share,
    parse_uninstall,
)
from handlers.parsing.payloads.common import enterprise_of, workspace_of

log = logging.getLogger(__name__)

CACHE_SIZE = 10_000
CACHE_TTL_S = 60
"""Another process may have forgotten one since, which has installed the app again."""

ACKNOWLEDGED_WITHIN_S = 0.005
"""The worker is woken this much later, or its first steps would hold up the acknowledgement that is on its way out."""

ANY_CHANNEL = "-"
"""Of jobs that are about no channel; the database refuses nulls in keys."""


class InboxMiddleware:
    """A middleware of Bolt's, which acknowledges events before it runs their listeners."""

    def __init__(self, inbox: Inbox, catalogue: Catalogue, wake: Callable[[], None], bot_user: str = "") -> None:
        self._inbox = inbox
        self._catalogue = catalogue
        self._known: TTLCache[tuple[str, str], bool] = TTLCache(CACHE_SIZE, CACHE_TTL_S)
        self._wake = wake
        self._bot_user = bot_user

    async def store(self, body: Mapping[str, Any], next: Callable[[], Awaitable[Any]]) -> BoltResponse | None:  # noqa: A002 - Bolt's name
        """Write down what is to be done for this delivery, if anything is; then let it be acknowledged."""
        job = self.job_of(body)
        try:
            if job is None or job.kind is not JobKind.UNINSTALL:
                await self._remember(workspace_of(body), enterprise_of(body))
            else:
                self._known.clear()
            if job is not None:
                await self._put(job)
        except BackendError:
            log.exception("the inbox can't be written: Slack is asked to deliver again")
            return BoltResponse(status=503, body="")
        await next()
        return None

    async def _put(self, job: NewJob) -> None:
        started = time.perf_counter()
        kept = await self._inbox.put(job)
        log.debug("%s %s in %.3f s", job.kind, "kept" if kept else "known", time.perf_counter() - started)
        if kept:
            asyncio.get_running_loop().call_later(ACKNOWLEDGED_WITHIN_S, self._wake)

    async def _remember(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Of an organisation that installed the app as a whole, only deliveries tell which workspaces it has."""
        place = (enterprise, workspace)
        if enterprise and workspace and place not in self._known:
            await self._catalogue.adopt(workspace, enterprise)
            self._known[place] = True

    def job_of(self, body: Mapping[str, Any]) -> NewJob | None:
        """The durable work that a delivery means."""
        if share := parse_share(body, self._bot_user):
            return _share(share)
        if deletion := parse_deletion(body):
            return deletion_job(deletion)
        if uninstall := parse_uninstall(body):
            return _uninstall(uninstall)
        if mention := parse_mention(body, self._bot_user):
            return mention_job(mention, body)
        return None


def _share(share: ImageShare) -> NewJob:
    files = tuple(file.id for file in share.files)
    return NewJob(JobKind.SHARE, share.workspace, share.enterprise, share.channel, share.ts, files, encode_share(share))


def deletion_job(deletion: SlackDeletion) -> NewJob:
    """What is kept of a deletion."""
    # A file can be deleted once, and so can a message: what Slack repeats is known by that.
    message, file = deletion.message or ANY_CHANNEL, deletion.file or ANY_CHANNEL
    return NewJob(
        JobKind.FORGET,
        deletion.workspace,
        deletion.enterprise,
        f"forget:{deletion.channel or ANY_CHANNEL}",
        message,
        (file,),
        encode_deletion(deletion),
    )


def _uninstall(uninstall: Uninstall) -> NewJob:
    return NewJob(
        JobKind.UNINSTALL,
        uninstall.workspace,
        uninstall.enterprise,
        "uninstall",
        uninstall.event_id or ANY_CHANNEL,
        (ANY_CHANNEL,),
        encode_uninstall(uninstall),
    )
