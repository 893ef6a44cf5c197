"""OAuth flow for installing the app in many workspaces."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin

from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore

from bot.domain.identifiers import WorkspaceId
from handlers.slack.clients import Clients, web_client
from handlers.slack.scopes import OPTIONAL, SCOPES, missing

log = logging.getLogger(__name__)

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"
STATE_TTL_S = 600

RecordWorkspace = Callable[[WorkspaceId, str], Awaitable[None]]
"""Stores the id of a new workspace and that of its organisation (may be empty)."""


class OAuthStates(Protocol):
    """Port for OAuth states. Issuing and checking one write nothing, because any visitor can do so."""

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """Return a new state."""
        ...

    async def async_consume(self, state: str) -> bool:
        """Return whether the state is valid."""
        ...

    async def use_up(self, state: str) -> bool:
        """Store that an installation used this state. Return False if it is no longer valid."""
        ...


class InstallationFlow(AsyncOAuthFlow):
    """Bolt's flow, which uses a state up once Slack has accepted the code, and only then."""

    states: OAuthStates

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:
        """Store an installation. Raises BoltError if another one has used its state."""
        if not await self.states.use_up(request.query["state"][0]):
            raise BoltError("The state of this installation has been used already.")
        for scope, purpose in missing(installation.bot_scopes or None, OPTIONAL).items():
            log.info("%s doesn't grant the scope %s, so this is off there: %s", installation.team_id, scope, purpose)
        await super().store_installation(request, installation)


@dataclass(frozen=True, slots=True)
class OAuth:
    """The app's credentials and URLs."""

    client_id: str
    client_secret: str
    slack_api_url: str
    public_base_url: str | None


def oauth_flow(
    oauth: OAuth,
    store: AsyncInstallationStore,
    states: OAuthStates,
    clients: Clients,
    record_workspace: RecordWorkspace,
) -> AsyncOAuthFlow:
    """Create the OAuth flow. It stores each installation, with an encrypted token, and the workspace's id."""
    settings = AsyncOAuthSettings(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        scopes=SCOPES,
        authorization_url=urljoin(oauth.slack_api_url, "/oauth/v2/authorize"),
        redirect_uri=oauth.public_base_url + REDIRECT_PATH if oauth.public_base_url else None,
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
        installation_store=store,
        state_store=states,  # type: ignore[arg-type]  # the port has what Bolt calls
        state_expiration_seconds=STATE_TTL_S,
        logger=logging.getLogger("slack_bolt"),
    )
    flow = InstallationFlow(
        client=web_client(None, oauth.slack_api_url), logger=logging.getLogger("slack_bolt"), settings=settings
    )
    flow.states = states
    default_handler = flow.success_handler

    async def handle_success(args: AsyncSuccessArgs) -> BoltResponse:
        installation = args.installation
        team, enterprise = installation.team_id or "", installation.enterprise_id or ""
        clients.forget(WorkspaceId(team), enterprise)
        if team:
            await record_workspace(WorkspaceId(team), enterprise)
        log.info("installed in %s", team or enterprise)
        return await default_handler(args)

    flow.success_handler = handle_success
    return flow
