"""Adapters from Starlette to Bolt, for Slack's deliveries over HTTP and the pages of the OAuth flow."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.domain.errors import BackendError
from bot.telemetry.metrics import Metrics
from handlers.errors import ListenerWrapper
from handlers.slack_errors import UNREACHABLE

log = logging.getLogger(__name__)

NOT_INSTALLED = "The app couldn't be installed. Please try again in a minute."

Handler = Callable[[Request], Awaitable[Response]]


def deliveries(app: AsyncApp, wrapper: ListenerWrapper, metrics: Metrics) -> Handler:
    """Return the handler of ``POST /slack/events``. It gets only requests whose signature is valid."""

    async def handle(request: Request) -> Response:
        # Track this task: it sends the acknowledgement after the listener has started.
        with wrapper.in_flight():
            started = time.perf_counter()
            body = await request.body()
            response = await app.async_dispatch(to_async_bolt_request(request, body))
            if response.status == HTTPStatus.OK:
                metrics.acknowledged(_kind(request, body), time.perf_counter() - started)
            return to_starlette_response(response)

    return handle


def _kind(request: Request, body: bytes) -> str:
    """Return the kind of a delivery by its name in Socket Mode."""
    if "json" in request.headers.get("content-type", ""):
        return "events_api"
    return "interactive" if body.startswith(b"payload=") else "slash_commands"


def installation(flow: AsyncOAuthFlow) -> tuple[Handler, Handler]:
    """Return the handlers of ``GET /slack/install`` and ``GET /slack/oauth_redirect``."""

    def page(answer: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                return to_starlette_response(await answer(to_async_bolt_request(request, b"")))
            except (BackendError, *UNREACHABLE) as error:
                log.warning("an installation failed: %s", type(error).__name__)
                return PlainTextResponse(NOT_INSTALLED, HTTPStatus.SERVICE_UNAVAILABLE)

        return handle

    return page(flow.handle_installation), page(flow.handle_callback)
