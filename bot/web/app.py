"""The routes of the web app. Optional routes exist only if their handler is given."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.media.links import ENTITY_PATH, PATH, MediaLinks
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.inbox import Inbox
from bot.storage.ports.pictures import RelayedPictures
from bot.telemetry import traces
from bot.telemetry.logs import raise_locations, request_scope
from bot.telemetry.prometheus import PrometheusMetrics
from bot.web.entity_page import EntityPageEndpoint, ViewEntity
from bot.web.health import (
    Details,
    HealthCheck,
    LivenessEndpoint,
    MetricsEndpoint,
    OpenObligationsReport,
    ReadinessEndpoint,
    TextProgress,
    no_details,
)
from bot.web.pictures import PictureEndpoint, StoredPictures
from bot.web.slack_endpoint import SlackEndpoint

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

MAX_ROUTE = 80


def web_app(
    *,
    slack: SlackEndpoint | None = None,
    install: Handler | None = None,
    oauth_redirect: Handler | None = None,
    media: MediaLinks | None = None,
    view_entity: ViewEntity | None = None,
    pictures: StoredPictures,
    catalogue: Catalogue,
    relayed: RelayedPictures,
    checks: Mapping[str, HealthCheck],
    metrics: PrometheusMetrics,
    inbox: Inbox,
    details: Details = no_details,
    obligations: OpenObligationsReport | None = None,
    texts: TextProgress | None = None,
    version: str = "",
) -> ASGIApp:
    """Build the web app. ``checks`` are the dependencies by name; a failing one raises.

    Without ``slack``, ``install``, ``oauth_redirect``, ``media`` or ``view_entity``, their routes are left out.
    """
    # Starlette tries routes in order, so Slack's comes first.
    routes = [] if slack is None else [Route("/slack/events", slack.answer, methods=["POST"])]
    routes += [
        Route("/healthz", LivenessEndpoint(version).answer, methods=["GET"]),
        Route("/readyz", ReadinessEndpoint(checks, details=details).answer, methods=["GET"]),
        Route("/metrics", MetricsEndpoint(metrics, inbox, obligations, texts).answer, methods=["GET"]),
    ]
    if media is not None:
        routes += _pictures(media, pictures, catalogue, relayed)
    if media is not None and view_entity is not None:
        page = EntityPageEndpoint(media, view_entity)
        paths = dict.fromkeys([f"{ENTITY_PATH}{{token}}", f"{media.entity_path}{{token}}"])
        routes += [Route(path, page.answer, methods=["GET"]) for path in paths]
    if install is not None:
        routes.append(Route("/slack/install", install, methods=["GET"]))
    if oauth_redirect is not None:
        routes.append(Route("/slack/oauth_redirect", oauth_redirect, methods=["GET"]))
    return _app(routes)


def pictures_app(
    media: MediaLinks, pictures: StoredPictures, catalogue: Catalogue, relayed: RelayedPictures
) -> ASGIApp:
    """Build a web app that serves only pictures."""
    return _app(_pictures(media, pictures, catalogue, relayed))


def _pictures(
    media: MediaLinks, pictures: StoredPictures, catalogue: Catalogue, relayed: RelayedPictures
) -> list[Route]:
    endpoint = PictureEndpoint(media, pictures, catalogue, relayed)
    # PUBLIC_BASE_URL may have a path, which a proxy may keep or strip: serve links under both.
    paths = dict.fromkeys([f"{PATH}{{token}}", f"{media.path}{{token}}"])
    return [Route(path, endpoint.answer, methods=["GET"]) for path in paths]


def _app(routes: Sequence[Route]) -> ASGIApp:
    starlette = Starlette(routes=routes)
    starlette.router.redirect_slashes = False
    return ErrorBoundary(starlette)


class ErrorBoundary:
    """Middleware that gives each request an id and answers unhandled errors with status 500.

    It logs only the error's class and where it was raised, since the error's text may quote the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = False

        async def track_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        with request_scope() as request_id:
            traces.annotate_request(request_id)
            try:
                await self._app(scope, receive, track_start)
            except Exception as error:  # noqa: BLE001 - this is the outermost handler
                what = f"{_route(scope)} failed with {type(error).__name__}"
                log.error("%s, raised by %s", what, raise_locations(error))  # noqa: TRY400
                if not started:
                    answer = PlainTextResponse("Something went wrong here. Please try again later.", 500)
                    await answer(scope, receive, send)


def _route(scope: Scope) -> str:
    path = str(scope.get("path", ""))
    # Whoever has the token of a link can see what it leads to, so keep it out of the log.
    signed = next((start for start in (PATH, ENTITY_PATH) if start in path), "")
    shown = f"{signed}…" if signed else path[:MAX_ROUTE]
    return f"{scope.get('method', scope['type'])} {shown!r}"
