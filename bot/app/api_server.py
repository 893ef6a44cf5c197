"""Composes and runs the server of the visual search API: the services, a fetcher for image URLs and the routes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import AsyncExitStack

from bot.api import api_app
from bot.api.limits import MAX_SEARCH_BYTES
from bot.app.background import running_removals
from bot.app.server_process import on_stop_signal, run_server
from bot.app.services import build_services
from bot.config.settings import Settings
from bot.config.validation import missing_api_keys
from bot.config.version import installed_version
from bot.images.fetch.fetcher import Fetcher
from bot.telemetry import traces
from bot.telemetry.supervision import supervised
from bot.web import freeze_heap, serving
from bot.web.request_body import read_body

log = logging.getLogger(__name__)

FETCH_TIMEOUT_S = 4
"""Clients of the API give up after 5 seconds, the search included."""


def serve_api(settings: Settings, remarks: Iterable[str] = ()) -> None:
    """Serve the API until SIGTERM or Ctrl-C. ``remarks`` about the settings are logged as warnings.

    Raises SettingsError without keys, CannotListen if the port is in use, and CannotStart if the storage or the search
    back end can't be opened.
    """
    run_server(settings, missing_api_keys, _serve, remarks)


async def _serve(settings: Settings) -> None:
    stopped = asyncio.Event()
    with on_stop_signal(stopped.set):
        async with AsyncExitStack() as stack:
            services = await stack.enter_async_context(build_services(settings))
            await stack.enter_async_context(running_removals(services))
            await stack.enter_async_context(supervised("points of pictures", services.points.run))
            # Stricter in size and time than the fetcher for people in Slack, as the API's limits demand.
            fetcher = Fetcher(
                max_bytes=MAX_SEARCH_BYTES,
                timeout_s=min(FETCH_TIMEOUT_S, settings.fetch_timeout_s),
                trusted_hosts=settings.trusted_hosts,
                advice="use another address",
            )
            stack.push_async_callback(fetcher.close)
            app = api_app(
                read_body=read_body,
                visual=services.visual,
                storage=services.storage,
                fetch=fetcher.fetch,
                read=services.normaliser.picture,
                keys=settings.api_keys,
                hold_memory=services.downloads.hold,
                version=installed_version(),
            )
            freeze_heap()
            host, port = await stack.enter_async_context(serving(traces.served(app), *settings.listen_address))
            log.info("listening on http://%s:%d", host, port)
            await stopped.wait()
            log.info("stopping: finishing the calls in progress")
