"""Clients of Slack's Web API: whose token speaks in which workspace, and what may be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.identifiers import WorkspaceId

CALL_TIMEOUT_S = 15

MAX_RETRY_AFTER_S = 10
"""A person waits no longer; and a job that has to leaves its place to others meanwhile."""

MAX_RETRY_AFTER_WITH_TRIGGER_S = 1
"""A trigger lives for three seconds."""

_TRIGGER_METHODS = ("views.open", "views.push")

_IDEMPOTENT_METHODS = (
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


class _IdempotentRetryHandler(AsyncRetryHandler):
    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        return _is_idempotent(request) and await super()._can_retry_async(
            state=state, request=request, response=response, error=error
        )


class _IdempotentServerErrorHandler(_IdempotentRetryHandler, AsyncServerErrorRetryHandler):
    pass


class _IdempotentConnectionErrorHandler(_IdempotentRetryHandler, AsyncConnectionErrorRetryHandler):
    pass


class _BoundedRateLimitHandler(AsyncRateLimitErrorRetryHandler):
    """Waits while that is no longer than those who wait for us can bear."""

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        most_s = (
            MAX_RETRY_AFTER_WITH_TRIGGER_S if _method_of(request).startswith(_TRIGGER_METHODS) else MAX_RETRY_AFTER_S
        )
        asked = _retry_after(response)
        # Without a number, the SDK can't wait either.
        is_bearable = asked is None or (asked.isdecimal() and int(asked) <= most_s)
        return is_bearable and await super()._can_retry_async(
            state=state, request=request, response=response, error=error
        )


def _retry_after(response: HttpResponse | None) -> str | None:
    headers = {name.lower(): values for name, values in response.headers.items()} if response else {}
    return str(headers["retry-after"][0]) if headers.get("retry-after") else None


def _method_of(request: HttpRequest) -> str:
    return request.url.partition("?")[0].rpartition("/")[2]


def _is_idempotent(request: HttpRequest) -> bool:
    return _method_of(request).startswith(_IDEMPOTENT_METHODS)


def web_client(token: str | None, base_url: str) -> AsyncWebClient:
    """A client of the Web API that waits out rate limits, and hiccups where that is safe."""
    # Without these handlers only lost connections are tried again, those of posts included.
    handlers: list[AsyncRetryHandler] = [
        _IdempotentConnectionErrorHandler(),
        # Refused for its rate, a call was not carried out: any may be repeated.
        _BoundedRateLimitHandler(max_retry_count=2),
        _IdempotentServerErrorHandler(max_retry_count=2),
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


class SingleWorkspaceClients:
    """The token of the settings. Satisfies Clients."""

    def __init__(self, known: AuthorizeResult, base_url: str) -> None:
        self._known = known
        self._client = web_client(known.bot_token, base_url)

    async def authorize(
        self,
        enterprise_id: str | None,
        team_id: str | None,
        *,
        is_enterprise_install: bool = False,
    ) -> AuthorizeResult | None:
        """The one token. One app-level token receives for every workspace that the app is installed in.

        With None, Bolt acknowledges what is not ours and goes no further: Slack stops delivering to apps that leave
        too much unacknowledged.
        """
        if is_enterprise_install and enterprise_id != self._known.enterprise_id:
            # Such deliveries name no workspace.
            return None
        return self._known if team_id in {None, self._known.team_id} else None

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:  # noqa: ARG002
        """The one client."""
        return self._client if workspace == self._known.team_id else None

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """There is nothing to ask anew."""


class CombinedClients:
    """The token of the settings for its own workspace, and installations for all others. Satisfies Clients."""

    def __init__(self, known: Sequence[Clients]) -> None:
        self._known = tuple(known)

    async def authorize(
        self, enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool = False
    ) -> AuthorizeResult | None:
        """The first that is known; for an organisation, its own installation before a token for one workspace."""
        for clients in reversed(self._known) if is_enterprise_install else self._known:
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
