"""The routes. Each is there only if what serves it is given: Socket Mode has no use for Slack's."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.media.links import PATH, MediaLinks
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.inbox import Inbox
from bot.storage.ports.pictures import RelayedPictures
from bot.telemetry.logs import raise_locations, request_scope
from bot.telemetry.metrics import PrometheusMetrics
from bot.web.health import HealthCheck, MetricsEndpoint, ReadinessEndpoint, alive
from bot.web.pictures import PictureEndpoint, StoredPictures
from bot.web.slack_endpoint import SlackEndpoint

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

MAX_ROUTE = 80


def web_app(
    *,
    slack: Handler | None = None,
    install: Handler | None = None,
    oauth_redirect: Handler | None = None,
    media: MediaLinks | None = None,
    pictures: StoredPictures,
    catalogue: Catalogue,
    relayed: RelayedPictures,
    checks: Mapping[str, HealthCheck],
    metrics: PrometheusMetrics,
    inbox: Inbox,
) -> ASGIApp:
    """All that is served. ``checks`` are what the bot depends on, by name; one that raises is not well."""
    # Asked in turn; Slack waits for the first.
    routes = [] if slack is None else [Route("/slack/events", SlackEndpoint(slack).answer, methods=["POST"])]
    routes += [
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", ReadinessEndpoint(checks).answer, methods=["GET"]),
        Route("/metrics", MetricsEndpoint(metrics, inbox).answer, methods=["GET"]),
    ]
    if media is not None:
        routes += _pictures(media, pictures, catalogue, relayed)
    if install is not None:
        routes.append(Route("/slack/install", install, methods=["GET"]))
    if oauth_redirect is not None:
        routes.append(Route("/slack/oauth_redirect", oauth_redirect, methods=["GET"]))
    return _app(routes)


def pictures_app(
    media: MediaLinks, pictures: StoredPictures, catalogue: Catalogue, relayed: RelayedPictures
) -> ASGIApp:
    """Pictures alone."""
    return _app(_pictures(media, pictures, catalogue, relayed))


def _pictures(
    media: MediaLinks, pictures: StoredPictures, catalogue: Catalogue, relayed: RelayedPictures
) -> list[Route]:
    endpoint = PictureEndpoint(media, pictures, catalogue, relayed)
    # The links' own path, and the bare one: a proxy may take off what the public address has before it.
    paths = dict.fromkeys([f"{PATH}{{token}}", f"{media.path}{{token}}"])
    return [Route(path, endpoint.answer, methods=["GET"]) for path in paths]


def _app(routes: Sequence[Route]) -> ASGIApp:
    starlette = Starlette(routes=routes)
    starlette.router.redirect_slashes = False
    return ErrorBoundary(starlette)


class ErrorBoundary:
    """Around everything: a request id, and an answer when nobody else had one.

    What a request held stays out of the log, so the error's text does too: it may quote from there. Its kind and where
    it was raised are enough.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        with request_scope():
            try:
                await self._app(scope, receive, noting)
            except Exception as error:  # noqa: BLE001 - nobody is above
                what = f"{_route(scope)} failed with {type(error).__name__}"
                log.error("%s, raised by %s", what, raise_locations(error))  # noqa: TRY400
                if not started:
                    answer = PlainTextResponse("Something went wrong here. Please try again later.", 500)
                    await answer(scope, receive, send)


def _route(scope: Scope) -> str:
    path = str(scope.get("path", ""))
    # The rest of such a path is as good as the picture.
    shown = "/media/…" if path.startswith("/media/") else path[:MAX_ROUTE]
    return f"{scope.get('method', scope['type'])} {shown!r}"
