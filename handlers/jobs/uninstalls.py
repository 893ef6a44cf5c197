"""Run uninstall jobs: delete the tokens and all data of workspaces, unless the app was installed again since."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from slack_sdk.errors import SlackApiError

from bot.domain.errors import RetryLater
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job
from bot.services.maintenance.removal import RemovalService
from bot.storage.ports.catalogue import Catalogue
from handlers.parsing.payloads import UnreadablePayload, decode_uninstall
from handlers.slack.clients import Clients
from handlers.slack.installation_records import Installations
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

_DEAD_TOKEN = frozenset(
    {"account_inactive", "invalid_auth", "not_authed", "team_not_found", "token_expired", "token_revoked"}
)


class UninstallRunner:
    """Deletes what an uninstalled app must not keep. May run again after any error."""

    def __init__(
        self, removal: RemovalService, catalogue: Catalogue, clients: Clients, installations: Installations
    ) -> None:
        self._removal = removal
        self._catalogue = catalogue
        self._clients = clients
        self._installations = installations

    async def run(self, job: Job) -> None:
        """Delete tokens and data. Any error makes the worker retry it."""
        uninstall = decode_uninstall(job.payload)
        if uninstall is None:
            raise UnreadablePayload(f"job {job.id} has an unreadable payload")
        enterprise = uninstall.enterprise
        happened = _end_of_second(uninstall.event_time) if uninstall.event_time else job.created_at
        workspaces = uninstall.workspaces or await self._catalogue.workspaces_of(enterprise)
        # Delete tokens first, so that the bot answers nothing while it removes the data.
        if not uninstall.workspaces and not await self._delete_tokens(enterprise, WorkspaceId(""), happened):
            return
        failures: list[Exception] = []
        for workspace in workspaces:
            try:
                await self._remove(enterprise, workspace, happened)
            except Exception as error:  # noqa: BLE001 - the other workspaces are removed first
                failures.append(error)
        if failures:
            raise failures[0]

    async def _remove(self, enterprise: str, workspace: WorkspaceId, happened: datetime) -> None:
        if await self._delete_tokens(enterprise, workspace, happened):
            removed = await self._removal.remove_workspace(workspace)
            log.info("removed %s with %d images after an uninstall", workspace, removed)

    async def _delete_tokens(self, enterprise: str, workspace: WorkspaceId, happened: datetime) -> bool:
        """Delete the tokens, and return True; return False if the app was installed again after the event."""
        installed_at = await self._installations.installed_at(enterprise, workspace)
        if installed_at is not None and installed_at > happened:
            # Our clock may be ahead of Slack's, so a dead token proves that the event is about this installation.
            if await self._is_installed(enterprise, workspace):
                return _ignore(enterprise, workspace)
            happened = installed_at
        if not await self._installations.delete_until(enterprise, workspace, happened):
            return _ignore(enterprise, workspace)
        self._clients.forget(workspace, enterprise)
        return True

    async def _is_installed(self, enterprise: str, workspace: WorkspaceId) -> bool:
        """Ask Slack whether the token works. Raises RetryLater if Slack can't say."""
        self._clients.forget(workspace, enterprise)
        client = await self._clients.client(workspace, enterprise)
        if client is None:
            return False
        try:
            await client.auth_test()
        except SlackApiError as error:
            if code_of(error) in _DEAD_TOKEN:
                return False
            raise RetryLater(f"Slack can't say whether the app is installed ({code_of(error)})") from error
        except UNREACHABLE as error:
            raise RetryLater(f"Slack can't say whether the app is installed ({type(error).__name__})") from error
        return True


def _end_of_second(event_time: float) -> datetime:
    # Slack gives whole seconds.
    return datetime.fromtimestamp(event_time + 1, UTC)


def _ignore(enterprise: str, workspace: WorkspaceId) -> bool:
    log.info("ignored a late uninstall of %s: the app was installed again since", workspace or enterprise)
    return False
