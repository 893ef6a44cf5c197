"""Run the inbox's jobs: shares, requests, deletions and uninstalls."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bot.blocks.mrkdwn import count_images
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job, JobKind
from bot.services.maintenance.removal import RemovalService
from bot.storage.ports.catalogue import Catalogue
from handlers.jobs.deferred_runner import DeferredRequestRunner
from handlers.jobs.shares import ShareRunner
from handlers.parsing.payloads import decode_deletion, decode_uninstall
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.clients import Clients

log = logging.getLogger(__name__)

DeleteTokens = Callable[[str, WorkspaceId], Awaitable[None]]
"""Deletes the installation of an enterprise id (may be empty) and a workspace id.

An empty workspace id stands for the installation in the whole organisation."""


class JobRunner:
    """Dispatches jobs by kind. Each may run again after a crash."""

    def __init__(
        self,
        *,
        shares: ShareRunner,
        deferred: DeferredRequestRunner,
        removal: RemovalService,
        catalogue: Catalogue,
        clients: Clients,
        uploads: ThumbnailUploads,
        delete_tokens: DeleteTokens,
    ) -> None:
        self._shares = shares
        self._deferred = deferred
        self._removal = removal
        self._catalogue = catalogue
        self._clients = clients
        self._uploads = uploads
        self._delete_tokens = delete_tokens

    async def run(self, job: Job) -> None:
        """Run a job. Any error makes the worker retry it."""
        match job.kind:
            case JobKind.SHARE:
                await self._shares.run(job)
            case JobKind.REQUEST:
                await self._deferred.run(job)
            case JobKind.FORGET:
                await self._remove_deleted(job)
            case JobKind.UNINSTALL:
                await self._uninstall(job)

    async def give_up(self, job: Job, error: Exception) -> None:
        """Tell the user that a share or request failed for good."""
        if job.kind is JobKind.SHARE:
            await self._shares.give_up(job, error)
        if job.kind is JobKind.REQUEST:
            await self._deferred.give_up(job)

    async def _remove_deleted(self, job: Job) -> None:
        deletion = decode_deletion(job.payload)
        if deletion is None:
            log.error("job %d has an unreadable payload", job.id)
            return
        if deletion.file:
            await self._uploads.deleted(deletion.workspace, deletion.file)
            removed = await self._removal.remove_file(deletion.workspace, deletion.file)
        else:
            removed = await self._removal.remove_message(deletion.workspace, deletion.channel, deletion.message)
        if not removed:
            return
        log.info("removed %s deleted in Slack", count_images(removed))
        if client := await self._clients.client(job.workspace, job.enterprise):
            await self._uploads.sweep(job.workspace, client)

    async def _uninstall(self, job: Job) -> None:
        uninstall = decode_uninstall(job.payload)
        if uninstall is None:
            log.error("job %d has an unreadable payload", job.id)
            return
        workspaces = uninstall.workspaces or await self._catalogue.workspaces_of(uninstall.enterprise)
        # Delete tokens first, so that the bot answers nothing while it removes the data.
        if not uninstall.workspaces:
            await self._delete_tokens(uninstall.enterprise, WorkspaceId(""))
        for workspace in workspaces:
            await self._delete_tokens(uninstall.enterprise, workspace)
            self._clients.forget(workspace, uninstall.enterprise)
            removed = await self._removal.remove_workspace(workspace)
            log.info("removed %s with %d images after an uninstall", workspace, removed)
