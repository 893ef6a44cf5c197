"""Runs what the inbox holds: shares, requests, deletions, uninstalls."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bot.blocks.mrkdwn import count_images
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job, JobKind
from bot.services.maintenance.removal import ForgetService
from bot.storage.ports.catalogue import Catalogue
from handlers.jobs.deferred_runner import DeferredRequestRunner
from handlers.jobs.shares import ShareRunner
from handlers.parsing.payloads import decode_deletion, decode_uninstall
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.clients import Clients

log = logging.getLogger(__name__)

DeleteTokens = Callable[[str, WorkspaceId], Awaitable[None]]
"""Forgets the installation of an enterprise (may be empty) and a workspace (empty: of the whole organisation)."""


class JobRunner:
    """One process's way with every kind of job; each may be run again after a crash."""

    def __init__(
        self,
        *,
        shares: ShareRunner,
        deferral: DeferredRequestRunner,
        forgetting: ForgetService,
        catalogue: Catalogue,
        clients: Clients,
        uploads: ThumbnailUploads,
        delete_tokens: DeleteTokens,
    ) -> None:
        self._shares = shares
        self._deferral = deferral
        self._forgetting = forgetting
        self._catalogue = catalogue
        self._clients = clients
        self._uploads = uploads
        self._delete_tokens = delete_tokens

    async def run(self, job: Job) -> None:
        """Do it. Raises what should make the worker try again."""
        match job.kind:
            case JobKind.SHARE:
                await self._shares.run(job)
            case JobKind.REQUEST:
                await self._deferral.run(job)
            case JobKind.FORGET:
                await self._forget(job)
            case JobKind.UNINSTALL:
                await self._uninstall(job)

    async def give_up(self, job: Job, error: Exception) -> None:
        """The last word, where somebody waits for one."""
        if job.kind is JobKind.SHARE:
            await self._shares.give_up(job, error)
        if job.kind is JobKind.REQUEST:
            await self._deferral.give_up(job)

    async def _forget(self, job: Job) -> None:
        deletion = decode_deletion(job.payload)
        if deletion is None:
            log.error("job %d can't be read", job.id)
            return
        if deletion.file:
            await self._uploads.deleted(deletion.workspace, deletion.file)
            gone = await self._forgetting.file(deletion.workspace, deletion.file)
        else:
            gone = await self._forgetting.message(deletion.workspace, deletion.channel, deletion.message)
        if not gone:
            return
        log.info("forgot %s: deleted in Slack", count_images(gone))
        if client := await self._clients.client(job.workspace, job.enterprise):
            await self._uploads.sweep(job.workspace, client)

    async def _uninstall(self, job: Job) -> None:
        uninstall = decode_uninstall(job.payload)
        if uninstall is None:
            log.error("job %d can't be read", job.id)
            return
        workspaces = uninstall.workspaces or await self._catalogue.workspaces_of(uninstall.enterprise)
        # The tokens first: nothing is to be answered any more while the rest goes.
        if not uninstall.workspaces:
            await self._delete_tokens(uninstall.enterprise, WorkspaceId(""))
        for workspace in workspaces:
            await self._delete_tokens(uninstall.enterprise, workspace)
            self._clients.forget(workspace, uninstall.enterprise)
            gone = await self._forgetting.workspace(workspace)
            log.info("forgot %s with %d images: the app was removed there", workspace, gone)
