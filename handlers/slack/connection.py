"""The connection to Slack: identify the bot, create the Bolt app, and run Socket Mode until a graceful stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.logger.messages import warning_client_prioritized_and_token_skipped
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.blocks.wording.errors import OTHER_WORKSPACE
from bot.domain.errors import BackendError, RetryLater, SlackUnavailable
from bot.domain.identifiers import WorkspaceId
from bot.telemetry import traces
from bot.telemetry.logs import request_scope
from bot.telemetry.metrics import Metrics, NullMetrics
from handlers.errors import ListenerWrapper
from handlers.slack.clients import Clients, web_client
from handlers.slack.scopes import NEEDED, OPTIONAL, granted_scopes, missing
from handlers.slack.socket_client import ReconnectingClient
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 30
DRAIN_TIMEOUT_S = 8
"""Time for requests to finish at a stop. Platforms such as Heroku kill a process after 30 s, and running jobs need
some of that time too."""

PING_INTERVAL_S = 10
"""The SDK replaces a connection that answered no ping for four times as long."""

ENVELOPE_TYPES = frozenset({"events_api", "slash_commands", "interactive"})

_UNREACHABLE = "Slack can't be reached at {url}: check the network and SLACK_API_URL."
_BROKEN = "{url} doesn't answer as Slack does: check SLACK_API_URL, and start again when Slack is well."
_COPY_AGAIN = "copy it again from the app's settings"
_INSTALL_AGAIN = "install the app into the workspace again, and copy the new token"
_TOKEN_REVOKED = frozenset({"account_inactive", "token_revoked", "token_expired", "missing_scope"})
_TRANSIENT = frozenset({"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"})


@dataclass(frozen=True, slots=True)
class Identity:
    """The workspace and bot user that the bot token belongs to."""

    workspace: WorkspaceId
    enterprise: str | None
    team_name: str
    bot_user: str
    bot_id: str


async def identify(client: AsyncWebClient) -> Identity:
    """Call auth.test for the client's token. Raises SlackUnavailable."""
    answer = await _start_call(client, "auth.test", "SLACK_BOT_TOKEN", "team_id")
    granted = granted_scopes(answer)
    for scope, purpose in missing(granted, OPTIONAL).items():
        log.info("SLACK_BOT_TOKEN lacks the scope %s, so this is off: %s", scope, purpose)
    for scope, purpose in missing(granted, NEEDED).items():
        log.warning("SLACK_BOT_TOKEN lacks the scope %s, which is needed for this: %s", scope, purpose)
    return Identity(
        WorkspaceId(answer["team_id"]),
        answer.get("enterprise_id"),
        answer.get("team", ""),
        answer.get("user_id", ""),
        answer.get("bot_id", ""),
    )


async def check_slack(client: AsyncWebClient) -> None:
    """Check that Slack answers and accepts the client's token, if it has one. Raises the client's errors."""
    try:
        await client.auth_test()
    except SlackApiError as error:
        if client.token or code_of(error) != "not_authed":
            raise


def bolt_app(client: AsyncWebClient, clients: Clients, signing_secret: str | None) -> AsyncApp:
    """Create a Bolt app without listeners. Without a signing secret it accepts Socket Mode deliveries only."""

    async def authorize(enterprise_id: object, team_id: object, context: AsyncBoltContext) -> AuthorizeResult | None:
        # This must be a function: Bolt passes arguments by name, and would treat a method's self as one of them.
        if not isinstance(enterprise_id, str | None) or not isinstance(team_id, str | None):
            return None
        is_enterprise_install = bool(context.is_enterprise_install)
        return await clients.authorize(enterprise_id, team_id, is_enterprise_install=is_enterprise_install)

    # Pass a logger. Bolt's own would take the root logger's level and log every reconnection.
    bolt_log = logging.getLogger("slack_bolt")
    bolt_log.addFilter(_is_relevant)
    app = AsyncApp(
        name="vsearch",
        logger=bolt_log,
        # authorize provides the token. Bolt would warn about a token on the app itself.
        client=client,
        authorize=authorize,  # type: ignore[arg-type]  # the annotation forgets None, which Bolt takes
        # Bolt accepts a whole response here. Make it ephemeral, which plain text wouldn't be.
        user_facing_authorize_error_message={"text": OTHER_WORKSPACE, "response_type": "ephemeral"},  # type: ignore[arg-type]
        # An empty string keeps Bolt from reading the secret from the environment.
        signing_secret=signing_secret or "",
        request_verification_enabled=signing_secret is not None,
    )
    app.error(_acknowledge_failure)
    return app


async def _acknowledge_failure(error: Exception) -> BoltResponse:
    """Choose the response to an error before any listener ran. Slack delivers events again unless the status is 200."""
    if isinstance(error, BackendError | RetryLater):
        log.warning("a delivery can't be accepted now: %s", error)
        return BoltResponse(status=503)
    if isinstance(error, UNREACHABLE):
        # Bolt failed to tell a user of another workspace that the bot isn't installed there.
        log.warning("could not reply to a user of another workspace: %s", type(error).__name__)
        return BoltResponse(status=200)
    log.error("could not accept a delivery", exc_info=error)
    return BoltResponse(status=500)


def _is_relevant(record: logging.LogRecord) -> bool:
    """Drop Bolt's warning that it prefers the client's token to the one in the environment. That is intended."""
    return record.getMessage() != warning_client_prioritized_and_token_skipped()


@asynccontextmanager
async def socket_mode(
    app: AsyncApp, wrapper: ListenerWrapper, app_token: str, base_url: str, metrics: Metrics | None = None
) -> AsyncIterator[None]:
    """Receive deliveries while the context is open. On exit, finish running requests. Raises SlackUnavailable."""
    recorder = metrics or NullMetrics()
    client = web_client(app_token, base_url)
    answer = await _start_call(client, "apps.connections.open", "SLACK_APP_TOKEN", "url")
    socket = ReconnectingClient(app_token, app.logger, client, ping_interval=PING_INTERVAL_S)
    # Use the URL of this call. The SDK's client would retry a refused token for ever.
    socket.use(answer["url"])

    async def handle(_client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        # Track this task too: it sends the acknowledgement after the listener has started.
        with wrapper.in_flight(), request_scope() as scope, traces.span("Slack delivery", request_id=scope):
            started = time.time()
            await send_async_response(socket, request, await run_async_bolt_app(app, request), started)
            kind = request.type if request.type in ENVELOPE_TYPES else "other"
            recorder.acknowledged(kind, time.time() - started)

    socket.socket_mode_request_listeners.append(handle)
    try:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await socket.connect()
        except TimeoutError as error:
            raise SlackUnavailable(_UNREACHABLE.format(url=base_url)) from error
        yield
    finally:
        # Stop acknowledging, so that Slack delivers new requests to another process.
        socket.socket_mode_request_listeners.clear()
        if unfinished := await wrapper.drain(DRAIN_TIMEOUT_S):
            log.error("stopped with %d requests unfinished after %d s", unfinished, DRAIN_TIMEOUT_S)
        await socket.close()  # type: ignore[no-untyped-call]


async def _start_call(client: AsyncWebClient, method: str, setting: str, wanted: str) -> AsyncSlackResponse:
    """Call a method and return its answer, which must contain the field ``wanted``.

    Raises SlackUnavailable, which names ``setting`` if Slack refused the token.
    """
    try:
        answer = await client.api_call(method)
    except SlackApiError as error:
        code = code_of(error)
        # A number is the HTTP status of a response that isn't Slack's JSON.
        if code.isdecimal() or code in _TRANSIENT:
            raise SlackUnavailable(_BROKEN.format(url=client.base_url)) from error
        advice = _INSTALL_AGAIN if code in _TOKEN_REVOKED else _COPY_AGAIN
        raise SlackUnavailable(f"Slack refused {setting} ({code}): {advice}.") from error
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
        raise SlackUnavailable(_UNREACHABLE.format(url=client.base_url)) from error
    if not isinstance(answer.data, dict) or not answer.data.get(wanted):
        raise SlackUnavailable(_BROKEN.format(url=client.base_url))
    return answer
