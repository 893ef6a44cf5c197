"""Runs the Slack app: receives deliveries until SIGTERM or Ctrl-C, then finishes the work in progress."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from bot.app.server_process import on_stop_signal, run_server
from bot.app.slack_app import SlackApp, build
from bot.config.settings import Settings
from bot.config.validation import missing_credentials
from bot.web import freeze_heap, serving
from handlers.slack.connection import socket_mode

log = logging.getLogger(__name__)

PICTURES_NOT_SERVED = (
    "PUBLIC_BASE_URL is set, but in Socket Mode the bot serves no pictures without PORT: pictures in answers won't load"
    " unless another process serves them"
)
PICTURES_NOT_FETCHABLE = (
    "the hosted service fetches each picture from PUBLIC_BASE_URL: set PORT, or adding and searching fail unless"
    " another process serves pictures there"
)
INSTALL_NOT_SERVED = (
    "in Socket Mode the bot serves no installation page without PORT: set it so that other workspaces can install the"
    " app"
)
DRAIN_TIMEOUT_S = 8
"""With the web server's last answers (3 s) and the jobs in progress (14 s), this stays below the 30 s after which
platforms such as Heroku kill a process."""

FINAL_ANSWERS_S = 3
"""Slack waits 3 seconds for an acknowledgement."""


def serve(settings: Settings, remarks: Iterable[str] = ()) -> None:
    """Run the bot until SIGTERM or Ctrl-C. ``remarks`` about the settings are logged as warnings.

    Raises SettingsError if credentials are missing, SlackUnavailable if Slack refuses them or can't be reached,
    CannotListen if the port is in use, and CannotStart if the storage or the search back end can't be opened.
    """
    run_server(settings, missing_credentials, _serve, remarks)


async def _serve(settings: Settings) -> None:
    stopped, connected = asyncio.Event(), asyncio.Event()
    task = asyncio.current_task()
    assert task is not None

    def stop() -> None:
        stopped.set()
        if not connected.is_set():
            # No work is in progress yet, and connecting to an unresponsive Slack can take a minute.
            task.cancel()

    try:
        with on_stop_signal(stop):
            async with build(settings) as app, _receiving_deliveries(settings, app):
                connected.set()
                who = f"{app.identity.team_name} ({app.identity.workspace})" if app.identity else "the workspaces"
                log.info("connected to %s", who)
                await stopped.wait()
                log.info("stopping: finishing the work in progress")
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
        log.info("stopped before connecting to Slack")


@asynccontextmanager
async def _receiving_deliveries(settings: Settings, app: SlackApp) -> AsyncIterator[None]:
    """Receive Slack's deliveries, and serve HTTP if configured, until the context exits."""
    freeze_heap()
    async with AsyncExitStack() as stack:
        app_token = settings.slack_app_token if settings.takes_deliveries else None
        over_http = settings.takes_deliveries and app_token is None
        if over_http:
            stack.push_async_callback(_drain, app)
        if over_http or settings.port is not None:
            web = serving(app.web, *settings.listen_address, grace_s=FINAL_ANSWERS_S)
            host, port = await stack.enter_async_context(web)
            log.info("listening on http://%s:%d", host, port)
        elif settings.takes_deliveries:
            _warn_of_unserved(settings)
        if app_token is not None:
            socket = socket_mode(app.bolt, app.wrapper, app_token, settings.slack_api_url, app.metrics)
            await stack.enter_async_context(socket)
        yield


def _warn_of_unserved(settings: Settings) -> None:
    if settings.public_base_url is not None:
        log.warning(PICTURES_NOT_SERVED)
        if settings.backend == "showapi":
            log.error(PICTURES_NOT_FETCHABLE)
    if settings.many_workspaces:
        log.warning(INSTALL_NOT_SERVED)


async def _drain(app: SlackApp) -> None:
    if unfinished := await app.wrapper.drain(DRAIN_TIMEOUT_S):
        log.error("stopped with %d requests unfinished after %d s", unfinished, DRAIN_TIMEOUT_S)
