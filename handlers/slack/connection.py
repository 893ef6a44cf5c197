"""The connection to Slack: who we are there, and Socket Mode from its first word to a graceful end."""

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

from bot.blocks.wording.errors import OTHER_WORKSPACE
from bot.domain.errors import BackendError, RetryLater, SlackUnavailable
from bot.domain.identifiers import WorkspaceId
from bot.telemetry.logs import request_scope
from bot.telemetry.metrics import Metrics, NullMetrics
from handlers.errors import ListenerWrapper
from handlers.slack.clients import Clients, web_client
from handlers.slack.socket_client import ReconnectingClient
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 30
DRAIN_TIMEOUT_S = 8
"""The jobs under way need some of the 30 seconds, too, after which platforms such as Heroku kill a process."""

PING_INTERVAL_S = 10
"""A connection that has answered none for four times as long is replaced."""

ENVELOPE_TYPES = frozenset({"events_api", "slash_commands", "interactive"})

_UNREACHABLE = "Slack can't be reached at {url}: check the network and SLACK_API_URL."
_BROKEN = "{url} doesn't answer as Slack does: check SLACK_API_URL, and start again when Slack is well."
_COPY_AGAIN = "copy it again from the app's settings"
_INSTALL_AGAIN = "install the app into the workspace again, and copy the new token"
_TOKEN_REVOKED = frozenset({"account_inactive", "token_revoked", "token_expired", "missing_scope"})
_TRANSIENT = frozenset({"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot's token says that we are."""

    workspace: WorkspaceId
    enterprise: str | None
    team_name: str
    bot_user: str
    bot_id: str


async def identify(client: AsyncWebClient) -> Identity:
    """Ask Slack whose token it is. Raises SlackUnavailable."""
    answer = await _start_call(client, "auth.test", "SLACK_BOT_TOKEN", "team_id")
    return Identity(
        WorkspaceId(answer["team_id"]),
        answer.get("enterprise_id"),
        answer.get("team", ""),
        answer.get("user_id", ""),
        answer.get("bot_id", ""),
    )


async def check_slack(client: AsyncWebClient) -> None:
    """Raises what the client raises, unless Slack answers and knows the token; without a token, that it answers."""
    try:
        await client.auth_test()
    except SlackApiError as error:
        if client.token or code_of(error) != "not_authed":
            raise


def bolt_app(client: AsyncWebClient, clients: Clients, signing_secret: str | None) -> AsyncApp:
    """A Bolt app with nothing attached yet. Without a signing secret it takes what Socket Mode brings."""

    async def authorize(enterprise_id: object, team_id: object, context: AsyncBoltContext) -> AuthorizeResult | None:
        # A function, since Bolt passes arguments by name and takes a method's self for one of them.
        if not isinstance(enterprise_id, str | None) or not isinstance(team_id, str | None):
            return None
        is_enterprise_install = bool(context.is_enterprise_install)
        return await clients.authorize(enterprise_id, team_id, is_enterprise_install=is_enterprise_install)

    # Ours, or Bolt would set its loggers to the root's level and note every reconnection.
    bolt_log = logging.getLogger("slack_bolt")
    bolt_log.addFilter(_is_relevant)
    app = AsyncApp(
        name="vsearch",
        logger=bolt_log,
        # Its token is handed out by authorize: on the app's own client, Bolt would warn that it is not used there.
        client=client,
        authorize=authorize,  # type: ignore[arg-type]  # the annotation forgets None, which Bolt takes
        # Bolt takes a whole response as well, and by itself would leave it to Slack who sees it.
        user_facing_authorize_error_message={"text": OTHER_WORKSPACE, "response_type": "ephemeral"},  # type: ignore[arg-type]
        # Empty, it keeps Bolt from looking for one in the environment.
        signing_secret=signing_secret or "",
        request_verification_enabled=signing_secret is not None,
    )
    app.error(_acknowledge_failure)
    return app


async def _acknowledge_failure(error: Exception) -> BoltResponse:
    """For what goes wrong before a listener has a delivery; without a 200 Slack delivers events again."""
    if isinstance(error, BackendError | RetryLater):
        log.warning("a delivery can't be taken now: %s", error)
        return BoltResponse(status=503)
    if isinstance(error, UNREACHABLE):
        # Bolt itself tells people of other workspaces that the app isn't theirs.
        log.warning("somebody of another workspace could not be told so (%s)", type(error).__name__)
        return BoltResponse(status=200)
    log.error("a delivery could not be taken", exc_info=error)
    return BoltResponse(status=500)


def _is_relevant(record: logging.LogRecord) -> bool:
    """All but this: Bolt finds the token in the environment too and warns that it takes the client's, as it should."""
    return record.getMessage() != warning_client_prioritized_and_token_skipped()


@asynccontextmanager
async def socket_mode(
    app: AsyncApp, wrapper: ListenerWrapper, app_token: str, base_url: str, metrics: Metrics | None = None
) -> AsyncIterator[None]:
    """Inside, Slack's deliveries reach the app. On the way out, what was taken is finished. Raises SlackUnavailable."""
    counted = metrics or NullMetrics()
    client = web_client(app_token, base_url)
    answer = await _start_call(client, "apps.connections.open", "SLACK_APP_TOKEN", "url")
    socket = ReconnectingClient(app_token, app.logger, client, ping_interval=PING_INTERVAL_S)
    # The address just given is used: by itself the client would try a refused token for ever.
    socket.wss_uri = answer["url"]

    async def handle(_client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        # Counted too, since the acknowledgement is sent after the listener has begun.
        with wrapper.in_flight(), request_scope():
            started = time.time()
            await send_async_response(socket, request, await run_async_bolt_app(app, request), started)
            counted.acknowledged(request.type if request.type in ENVELOPE_TYPES else "other", time.time() - started)

    socket.socket_mode_request_listeners.append(handle)
    try:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await socket.connect()
        except TimeoutError as error:
            raise SlackUnavailable(_UNREACHABLE.format(url=base_url)) from error
        yield
    finally:
        # From here on nothing is acknowledged, so that Slack delivers it again to whoever comes next.
        socket.socket_mode_request_listeners.clear()
        if unfinished := await wrapper.drain(DRAIN_TIMEOUT_S):
            log.error("stopped with %d requests unfinished after %d s", unfinished, DRAIN_TIMEOUT_S)
        await socket.close()  # type: ignore[no-untyped-call]


async def _start_call(client: AsyncWebClient, method: str, setting: str, wanted: str) -> dict[str, str]:
    """An answer with the field ``wanted`` in it. Raises SlackUnavailable, which blames ``setting`` if Slack does."""
    try:
        answer = await client.api_call(method)
    except SlackApiError as error:
        code = code_of(error)
        # A number is the status of a page that is not Slack's.
        if code.isdecimal() or code in _TRANSIENT:
            raise SlackUnavailable(_BROKEN.format(url=client.base_url)) from error
        advice = _INSTALL_AGAIN if code in _TOKEN_REVOKED else _COPY_AGAIN
        raise SlackUnavailable(f"Slack refused {setting} ({code}): {advice}.") from error
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
        raise SlackUnavailable(_UNREACHABLE.format(url=client.base_url)) from error
    if not isinstance(answer.data, dict) or not answer.data.get(wanted):
        raise SlackUnavailable(_BROKEN.format(url=client.base_url))
    return answer.data
