"""Clients of Slack's Web API: the token for each workspace, and which calls are retried."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

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
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.identifiers import WorkspaceId
from handlers.slack.proxies import proxy_for

CALL_TIMEOUT_S = 15

MAX_RETRY_AFTER_S = 10
"""Longest rate limit to wait out. People don't wait longer, and a job should free its worker for others."""

MAX_RETRY_AFTER_WITH_TRIGGER_S = 1
"""Longest rate limit to wait out with a trigger id, which expires after three seconds."""

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
"""Prefixes of methods that may be called twice without a visible effect, unlike posting a message."""


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
    """Waits out a rate limit unless it is too long for the requester or the trigger id."""

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
        retry_after = _retry_after(response)
        # Without a number of seconds, let the SDK decide.
        is_short_enough = retry_after is None or (retry_after.isdecimal() and int(retry_after) <= most_s)
        return is_short_enough and await super()._can_retry_async(
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
    """Return a client that waits out short rate limits, and retries idempotent calls after errors."""
    # The SDK's default handlers retry only lost connections, including those of calls that post messages.
    handlers: list[AsyncRetryHandler] = [
        _IdempotentConnectionErrorHandler(),
        # A rate-limited call had no effect, so any method may be retried.
        _BoundedRateLimitHandler(max_retry_count=2),
        _IdempotentServerErrorHandler(max_retry_count=2),
    ]
    client = AsyncWebClient(token, base_url, timeout=CALL_TIMEOUT_S, retry_handlers=handlers)
    client.proxy = proxy_for(base_url)
    return client


async def pages(
    call: Callable[..., Awaitable[AsyncSlackResponse]], most: int, **arguments: Any
) -> AsyncIterator[tuple[AsyncSlackResponse, bool]]:
    """Call a method of the Web API once a page, at most ``most`` times.

    Yields each answer, and whether it is the last page. Raises the client's errors.
    """
    cursor = ""
    for _ in range(most):
        answer = await call(**arguments, cursor=cursor)
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        yield answer, not cursor
        if not cursor:
            return


class Clients(Protocol):
    """Looks up the bot's token for a workspace."""

    async def authorize(
        self, enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool = False
    ) -> AuthorizeResult | None:
        """Return the authorisation that Bolt asks for at each delivery, or None for an unknown workspace."""
        ...

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:
        """Return a client for background work, or None if the app is not installed in the workspace (any more)."""
        ...

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Drop cached tokens of this workspace, because its installation has changed."""
        ...


class SingleWorkspaceClients:
    """``Clients`` with the one token from the settings."""

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
        """Return the token for its own workspace, or None for any other.

        An app-level token receives deliveries of all workspaces in which the app is installed. On None, Bolt
        acknowledges the delivery and ignores it. Slack stops delivering to apps that leave too much unacknowledged.
        """
        if is_enterprise_install and enterprise_id != self._known.enterprise_id:
            # Deliveries of an installation in an organisation have no workspace id.
            return None
        return self._known if team_id in {None, self._known.team_id} else None

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:  # noqa: ARG002
        """Return the client for its own workspace, or None."""
        return self._client if workspace == self._known.team_id else None

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Do nothing: no token is cached."""


class CombinedClients:
    """``Clients`` that asks several others in order: the token from the settings, then the installations."""

    def __init__(self, known: Sequence[Clients]) -> None:
        self._known = tuple(known)

    async def authorize(
        self, enterprise_id: str | None, team_id: str | None, *, is_enterprise_install: bool = False
    ) -> AuthorizeResult | None:
        """Return the first authorisation found. For an organisation, try installations before the settings' token."""
        for clients in reversed(self._known) if is_enterprise_install else self._known:
            if found := await clients.authorize(enterprise_id, team_id, is_enterprise_install=is_enterprise_install):
                return found
        return None

    async def client(self, workspace: WorkspaceId, enterprise: str) -> AsyncWebClient | None:
        """Return the first client found."""
        for clients in self._known:
            if found := await clients.client(workspace, enterprise):
                return found
        return None

    def forget(self, workspace: WorkspaceId, enterprise: str) -> None:
        """Drop the cached tokens of all."""
        for clients in self._known:
            clients.forget(workspace, enterprise)
