"""Clients of Slack's Web API: whose token speaks in which workspace, and what may be tried again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from cachetools import TTLCache
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackTokenRotationError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import TryAgain
from bot.models import WorkspaceId

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 15
REMEMBERED_S = 60
INSTALLATIONS_REMEMBERED = 10_000
ROTATE_BEFORE_MINUTES = 120
"""Rotating tokens live for twelve hours."""

_SAFE_TO_REPEAT = (
    "auth.test",
    "apps.connections.open",
    "chat.getPermalink",
    "conversations.",
    "files.info",
    "users.info",
    "views.publish",
    "reactions.add",
)
"""Methods that read, or that do nothing the second time. A message posted twice stands there twice."""


class _SafeServerErrors(AsyncServerErrorRetryHandler):
    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        return _is_safe(request) and await super()._can_retry_async(
            state=state, request=request, response=response, error=error
        )


class _SafeConnectionErrors(AsyncConnectionErrorRetryHandler):
    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        return _is_safe(request) and await super()._can_retry_async(
            state=state, request=request, response=response, error=error
        )


def _is_safe(request: HttpRequest) -> bool:
    return request.url.partition("?")[0].rpartition("/")[2].startswith(_SAFE_TO_REPEAT)


def web_client(token: str | None, base_url: str) -> AsyncWebClient:
    """A client of the Web API that waits out rate limits, and hiccups where that is safe."""
    # Without these handlers only lost connections are tried again, those of posts included.
    handlers: list[AsyncRetryHandler] = [
        _SafeConnectionErrors(),
        # Refused for its rate, a call was not carried out: any may be repeated.
        AsyncRateLimitErrorRetryHandler(max_retry_count=2),
        _SafeServerErrors(max_retry_count=2),
    ]
    return AsyncWebClient(token, base_url, timeout=CALL_TIMEOUT_S, retry_handlers=handlers)


class Clients(Protocol):
    """Who may speak in a workspace."""

    async def authorize(
        self, enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool = False
    ) -> AuthorizeResult | None:
        """What Bolt asks for each delivery; None for a workspace that is not ours."""
        ...

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:
        """A client for work that has no delivery at hand; None if the app is not installed there (any more)."""
        ...

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Ask anew for this workspace: its installation has changed."""
        ...


class OneWorkspace:
    """The token of the settings. Satisfies Clients."""

    def __init__(self, known: AuthorizeResult, base_url: str) -> None:
        self._known = known
        self._client = web_client(known.bot_token, base_url)

    async def authorize(
        self,
        enterprise_id: str | None,  # noqa: ARG002
        team_id: str | None,
        *,
        is_enterprise_install: bool = False,  # noqa: ARG002
    ) -> AuthorizeResult | None:
        """The one token. One app-level token receives for every workspace that the app is installed in.

        With None, Bolt acknowledges what is not ours and goes no further: Slack stops delivering to apps that leave
        too much unacknowledged.
        """
        return self._known if team_id in {None, self._known.team_id} else None

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:  # noqa: ARG002
        """The one client."""
        return self._client if workspace == self._known.team_id else None

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """There is nothing to ask anew."""


class InstalledWorkspaces:
    """Tokens from installations, rotated before they run out. Satisfies Clients."""

    def __init__(self, store: AsyncInstallationStore, client_id: str, client_secret: str, base_url: str) -> None:
        self._store = store
        self._base_url = base_url
        self._rotator = AsyncTokenRotator(
            client_id=client_id, client_secret=client_secret, client=web_client(None, base_url)
        )
        self._bots: TTLCache[tuple[str, str], Bot] = TTLCache(INSTALLATIONS_REMEMBERED, REMEMBERED_S)

    async def authorize(
        self, enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool = False
    ) -> AuthorizeResult | None:
        """The workspace's own token, or its organisation's."""
        bot = await self._bot(enterprise_id or "", team_id or "", is_enterprise_install=is_enterprise_install)
        if bot is None:
            return None
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id or bot.team_id,
            bot_user_id=bot.bot_user_id,
            bot_id=bot.bot_id,
            bot_token=bot.bot_token,
        )

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:
        """A client with the token that ``authorize`` would give."""
        bot = await self._bot(enterprise, workspace)
        return None if bot is None else web_client(bot.bot_token, self._base_url)

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Read the installation anew next time."""
        self._bots.pop((enterprise, workspace), None)

    async def _bot(self, enterprise: str, team: str, *, is_enterprise_install: bool = False) -> Bot | None:
        key = (enterprise, team)
        if key not in self._bots:
            bot = await self._store.async_find_bot(
                enterprise_id=enterprise or None, team_id=team or None, is_enterprise_install=is_enterprise_install
            )
            if bot is None:
                return None
            self._bots[key] = await self._fresh(bot)
        return self._bots.get(key)

    async def _fresh(self, bot: Bot) -> Bot:
        """The same, its token rotated if it runs out soon. Raises TryAgain when Slack won't."""
        if bot.bot_refresh_token is None:
            return bot
        try:
            rotated = await self._rotator.perform_bot_token_rotation(
                bot=bot, minutes_before_expiration=ROTATE_BEFORE_MINUTES
            )
        except SlackTokenRotationError as error:
            raise TryAgain("Slack would not rotate the bot's token") from error
        if rotated is None:
            return bot
        await self._store.async_save_bot(rotated)
        log.info("rotated the token of %s", bot.team_id or bot.enterprise_id)
        return rotated


class Several:
    """The token of the settings for its own workspace, and installations for all others. Satisfies Clients."""

    def __init__(self, known: Sequence[Clients]) -> None:
        self._known = tuple(known)

    async def authorize(
        self, enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool = False
    ) -> AuthorizeResult | None:
        """The first that is known."""
        for clients in self._known:
            if found := await clients.authorize(enterprise_id, team_id, is_enterprise_install=is_enterprise_install):
                return found
        return None

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:
        """The first that is known."""
        for clients in self._known:
            if found := await clients.client(workspace, enterprise):
                return found
        return None

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Each asks anew."""
        for clients in self._known:
            clients.forget(workspace, enterprise)
