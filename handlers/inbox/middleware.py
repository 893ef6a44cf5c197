"""Store deliveries that lead to durable work in the inbox before acknowledging them, so that a crash loses nothing."""

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
from bot.domain.jobs import ANY, JobKind, NewJob, deletion_key
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.inbox import Inbox
from handlers.inbox.deferred_requests import mention_job
from handlers.inbox.picture_sightings import PictureSightings
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
    parse_table_share,
    parse_uninstall,
)
from handlers.parsing.payloads.common import enterprise_of, workspace_of

log = logging.getLogger(__name__)

CACHE_SIZE = 10_000
CACHE_TTL_S = 60
"""Entries expire, because another process may remove a workspace that then installs the app again."""

WAKE_DELAY_S = 0.005
"""Delay before waking the worker, so that it doesn't slow down the acknowledgement being sent."""


class InboxMiddleware:
    """A Bolt middleware that runs before Bolt acknowledges an event and calls its listener."""

    def __init__(
        self,
        inbox: Inbox,
        catalogue: Catalogue,
        wake: Callable[[], None],
        bot_user: str = "",
        on_new: Callable[[NewJob], None] = lambda _: None,
        *,
        sightings: PictureSightings | None = None,
        note_event: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> None:
        self._inbox = inbox
        self._catalogue = catalogue
        self._known: TTLCache[tuple[str, str], bool] = TTLCache(CACHE_SIZE, CACHE_TTL_S)
        self._wake = wake
        self._bot_user = bot_user
        self._on_new = on_new
        self._sightings = sightings or PictureSightings()
        self._note_event = note_event

    async def store(self, body: Mapping[str, Any], next: Callable[[], Awaitable[Any]]) -> BoltResponse | None:  # noqa: A002 - Bolt's name
        """Store the job for a delivery, if there is one, and continue.

        If the inbox fails, return status 503, so that Slack delivers the event again.
        """
        self._sightings.note(body)
        job = self.job_of(body)
        try:
            if job is None or job.kind is not JobKind.UNINSTALL:
                await self._store_workspace(workspace_of(body), enterprise_of(body))
            else:
                self._known.clear()
            if job is not None:
                await self._put(job)
        except BackendError:
            log.exception("could not write to the inbox; asking Slack to deliver again")
            return BoltResponse(status=503, body="")
        self._note_event(body)
        await next()
        return None

    async def _put(self, job: NewJob) -> None:
        started = time.perf_counter()
        is_new = await self._inbox.put(job)
        log.debug("%s %s in %.3f s", job.kind, "kept" if is_new else "known", time.perf_counter() - started)
        if is_new:
            self._on_new(job)
            asyncio.get_running_loop().call_later(WAKE_DELAY_S, self._wake)

    async def _store_workspace(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Store which organisation a workspace belongs to.

        For an app installed in a whole organisation, only deliveries show which workspaces it has.
        """
        key = (enterprise, workspace)
        if enterprise and workspace and key not in self._known:
            await self._catalogue.record_workspace(workspace, enterprise)
            self._known[key] = True

    def job_of(self, body: Mapping[str, Any]) -> NewJob | None:
        """Return the job for a delivery, or None."""
        if table := parse_table_share(body, self._bot_user):
            return mention_job(table.message, body)
        if share := parse_share(body, self._bot_user):
            return share_job(share)
        if deletion := parse_deletion(body):
            return deletion_job(deletion)
        if uninstall := parse_uninstall(body):
            return _uninstall_job(uninstall)
        if mention := parse_mention(body, self._bot_user):
            return mention_job(mention, body)
        return None


def share_job(share: ImageShare) -> NewJob:
    """Return the job for a message with pictures."""
    files = tuple(file.id for file in share.files)
    return NewJob(JobKind.SHARE, share.workspace, share.enterprise, share.channel, share.ts, files, encode_share(share))


def deletion_job(deletion: SlackDeletion) -> NewJob:
    """Return the job for a deletion."""
    # A file, message or channel can be deleted only once, so its id identifies repeated deliveries. A file can be
    # shared again and unshared again.
    key, message = deletion_key(deletion.channel), deletion.message or ANY
    if deletion.unshared:
        key, message = f"unshared:{deletion.channel or ANY}", deletion.event_id or ANY
    return NewJob(
        JobKind.FORGET,
        deletion.workspace,
        deletion.enterprise,
        key,
        message,
        (deletion.file or ANY,),
        encode_deletion(deletion),
    )


def _uninstall_job(uninstall: Uninstall) -> NewJob:
    # A workspace's data goes with its jobs, and none of them may be about others, too.
    is_about_one = len(uninstall.workspaces) == 1
    return NewJob(
        JobKind.UNINSTALL,
        uninstall.workspace if is_about_one else WorkspaceId(""),
        uninstall.enterprise,
        "uninstall",
        uninstall.event_id or ANY,
        (ANY,),
        encode_uninstall(uninstall),
    )
