"""The connection to Slack: who we are there, and Socket Mode from its first word to a graceful end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltError
from slack_bolt.logger.messages import warning_client_prioritized_and_token_skipped
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.models import WorkspaceId
from handlers.guard import Guard
from handlers.unavailable import SlackUnavailable

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 15
CONNECT_TIMEOUT_S = 30
DRAIN_TIMEOUT_S = 25
"""Platforms such as Heroku kill a process 30 seconds after SIGTERM."""

_UNREACHABLE = "Slack can't be reached at {url}: check the network and SLACK_API_URL."


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot's token says that we are."""

    workspace: WorkspaceId
    enterprise: str | None
    team_name: str
    bot_user: str
    bot_id: str


def web_client(token: str, base_url: str) -> AsyncWebClient:
    """A client of the Web API that waits out rate limits and hiccups."""
    # Without these handlers only lost connections are tried again.
    handlers = [
        AsyncConnectionErrorRetryHandler(),
        AsyncRateLimitErrorRetryHandler(max_retry_count=2),
        AsyncServerErrorRetryHandler(max_retry_count=2),
    ]
    return AsyncWebClient(token, base_url, timeout=CALL_TIMEOUT_S, retry_handlers=[*handlers])


async def identify(client: AsyncWebClient) -> Identity:
    """Ask Slack whose token it is. Raises SlackUnavailable."""
    answer = await _start_call(client, "auth.test", "SLACK_BOT_TOKEN")
    return Identity(
        WorkspaceId(answer["team_id"]),
        answer.get("enterprise_id"),
        answer.get("team", ""),
        answer.get("user_id", ""),
        answer.get("bot_id", ""),
    )


def bolt_app(client: AsyncWebClient, identity: Identity) -> AsyncApp:
    """A Bolt app of one workspace, with nothing attached yet."""
    token = client.token
    # The token is handed out by authorize: on the app's own client, Bolt would warn that it is not used there.
    client.token = None
    known = AuthorizeResult(
        enterprise_id=identity.enterprise,
        team_id=identity.workspace,
        bot_user_id=identity.bot_user,
        bot_id=identity.bot_id,
        bot_token=token,
    )

    async def authorize(team_id: str | None) -> AuthorizeResult:
        if team_id not in {None, identity.workspace}:
            raise BoltError("a delivery for a workspace that is not ours")
        return known

    # Ours, or Bolt would set its loggers to the root's level and note every reconnection.
    bolt_log = logging.getLogger("slack_bolt")
    bolt_log.addFilter(_unexpected)
    # The signing secret is for HTTP; empty, it keeps Bolt from looking for one in the environment.
    return AsyncApp(name="vsearch", logger=bolt_log, client=client, authorize=authorize, signing_secret="")


def _unexpected(record: logging.LogRecord) -> bool:
    """All but this: Bolt finds the token in the environment too and warns that it takes the client's, as it should."""
    return record.getMessage() != warning_client_prioritized_and_token_skipped()


@asynccontextmanager
async def socket_mode(app: AsyncApp, guard: Guard, app_token: str, base_url: str) -> AsyncIterator[None]:
    """Inside, Slack's deliveries reach the app. On the way out, what was taken is finished. Raises SlackUnavailable."""
    client = web_client(app_token, base_url)
    answer = await _start_call(client, "apps.connections.open", "SLACK_APP_TOKEN")
    handler = AsyncSocketModeHandler(app, app_token, web_client=client)
    socket = handler.client
    # The address just given is used: by itself the client would try a refused token for ever.
    socket.wss_uri = answer["url"]

    async def handle(_client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        # Counted too, since the acknowledgement is sent after the listener has begun.
        with guard.counted():
            await handler.handle(socket, request)

    socket.socket_mode_request_listeners[:] = [handle]
    try:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await socket.connect()  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise SlackUnavailable(_UNREACHABLE.format(url=base_url)) from error
        yield
    finally:
        # From here on nothing is acknowledged, so that Slack delivers it again to whoever comes next.
        socket.socket_mode_request_listeners.clear()
        if unfinished := await guard.drain(DRAIN_TIMEOUT_S):
            log.error("stopped with %d requests unfinished after %d s", unfinished, DRAIN_TIMEOUT_S)
        await socket.close()  # type: ignore[no-untyped-call]


async def _start_call(client: AsyncWebClient, method: str, setting: str) -> dict[str, str]:
    try:
        answer = await client.api_call(method)
    except SlackApiError as error:
        code = error.response.get("error")
        raise SlackUnavailable(f"Slack refused {setting} ({code}): copy it again from the app's settings.") from error
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
        raise SlackUnavailable(_UNREACHABLE.format(url=client.base_url)) from error
    return dict(answer.data) if isinstance(answer.data, dict) else {}
