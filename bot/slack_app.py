"""The other half of the composition root: the services, and a Bolt app that answers Slack with them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from starlette.types import ASGIApp

from bot.app import Overrides, Services, build_services
from bot.back_ends import MEGA, media_links
from bot.config import Settings
from bot.errors import BackendRefused, SettingsError, TryAgain
from bot.images.slack_files import SlackFiles
from bot.images.thumbnails import ThumbnailStore
from bot.media import MediaLinks
from bot.metrics import PrometheusMetrics
from bot.models import WorkspaceId
from bot.services.jobs import Worker
from bot.services.lost import lost_databases
from bot.services.permissions import PermissionService
from bot.services.upkeep import Upkeep
from bot.services.watching import WatchService
from bot.web import web_app
from bot.web.health import Check
from handlers import assembly, http
from handlers.assembly import Acquaintance, Finder, Tools, Uploads
from handlers.clients import Clients, OneWorkspace, Several, web_client
from handlers.connection import Identity, bolt_app, check_slack, identify
from handlers.desk import Desk
from handlers.errands import DoneHere, LeftToWorkers
from handlers.guard import Guard
from handlers.installed import InstalledWorkspaces
from handlers.installing import OAuth, oauth_flow
from handlers.job_runner import DeleteTokens
from handlers.shared_files import SharedFiles

if TYPE_CHECKING:
    from bot.storage.installations import SqlInstallations

log = logging.getLogger(__name__)

FINISH_WITHIN_S = 14
"""For jobs that are under way at the end; platforms such as Heroku kill a process 30 seconds after SIGTERM."""

LOST = (
    "the %s back end lacks databases of the catalogue (%s of %s): if another was in use before, “vsearch migrate” moves"
    " them; “vsearch reconcile --mend” fills them from the stored pictures"
)

SEALED_OTHERWISE = (
    "SLACK_STATE_SECRET is not the one that the stored tokens were encrypted with: set the former one; if it is lost,"
    " docs/operating.md says what to do."
)


class InstallationPages(TypedDict, total=False):
    """The pages of an installation, where there is one."""

    install: http.Handler
    oauth_redirect: http.Handler


@dataclass(frozen=True, slots=True)
class App:
    """The whole house. ``identity`` is None where only installations have tokens; ``web`` is not served yet."""

    services: Services
    identity: Identity | None
    guard: Guard
    bolt: AsyncApp
    web: ASGIApp
    metrics: PrometheusMetrics
    worker: Worker


@asynccontextmanager
async def build(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[App]:
    """Everything, its worker running, connected to nothing yet but Slack's ``auth.test``.

    On the way out the jobs under way are finished. Raises SlackUnavailable, SettingsError and BackendError.
    """
    metrics = PrometheusMetrics()
    client = web_client(settings.slack_bot_token, settings.slack_api_url)
    identity = await identify(client) if settings.slack_bot_token else None
    async with build_services(settings, **({"metrics": metrics} | overrides)) as services, AsyncExitStack() as stack:
        store = await _installations(settings, services)
        clients = _clients(stack, settings, identity, store)
        tools = await _tools(stack, settings, services, clients, metrics)
        links = await media_links(settings, services.storage)
        desk = _desk(settings, services, tools, links)
        bolt = bolt_app(web_client(None, settings.slack_api_url), clients, settings.slack_signing_secret)
        runner = assembly.job_runner(desk, tools, services.forgetting, _delete_tokens(store))
        worker = Worker(services.storage.inbox, runner.run, runner.give_up, metrics=metrics)
        errands = DoneHere() if settings.does_jobs else _left_to_workers(stack, services)
        listeners = assembly.listeners(desk, tools, errands)
        assembly.attach(bolt, listeners, tools, worker.wake, identity.bot_user if identity else "")
        if identity is not None:
            await services.storage.catalogue.adopt(identity.workspace, identity.enterprise or "")
        web = web_app(
            slack=http.deliveries(bolt, tools.guard, metrics) if _over_http(settings) else None,
            **_installation_pages(settings, services, clients, store),
            media=links,
            pictures=_thumbnails(services),
            catalogue=services.storage.catalogue,
            relayed=services.storage.relayed,
            checks=_checks(services, settings),
            metrics=metrics,
            inbox=services.storage.inbox,
        )
        await _warn_of_lost(services)
        async with AsyncExitStack() as jobs:
            if settings.does_jobs:
                await jobs.enter_async_context(_working(worker))
                await jobs.enter_async_context(_upkeep(settings, services, tools.clients, desk.uploads))
            yield App(services, identity, tools.guard, bolt, web, metrics, worker)


def _left_to_workers(stack: AsyncExitStack, services: Services) -> LeftToWorkers:
    errands = LeftToWorkers(services.storage.inbox)
    stack.push_async_callback(errands.close)
    return errands


async def _warn_of_lost(services: Services) -> None:
    """Another back end may have been set without a move."""
    visual = services.visual
    for lost in await lost_databases(services.storage.catalogue, visual.list_databases):
        log.warning(LOST, visual.capabilities.name, ", ".join(lost.names), lost.workspace)


async def _installations(settings: Settings, services: Services) -> SqlInstallations | None:
    if not settings.many_workspaces:
        return None
    store = services.storage.installations(settings.slack_state_secret or "")
    try:
        await store.check()
    except BackendRefused as error:
        raise SettingsError((SEALED_OTHERWISE,)) from error
    return store


def _clients(
    stack: AsyncExitStack, settings: Settings, identity: Identity | None, store: SqlInstallations | None
) -> Clients:
    known: list[Clients] = []
    if identity is not None:
        result = AuthorizeResult(
            enterprise_id=identity.enterprise,
            team_id=identity.workspace,
            bot_user_id=identity.bot_user,
            bot_id=identity.bot_id,
            bot_token=settings.slack_bot_token,
        )
        known.append(OneWorkspace(result, settings.slack_api_url))
    if store is not None:
        oauth = settings.slack_client_id or "", settings.slack_client_secret or ""
        installed = InstalledWorkspaces(store, *oauth, settings.slack_api_url)
        stack.push_async_callback(installed.close)
        known.append(installed)
    return known[0] if len(known) == 1 else Several(known)


def _delete_tokens(store: SqlInstallations | None) -> DeleteTokens:
    async def delete(enterprise: str, workspace: WorkspaceId) -> None:
        if store is not None:
            await store.async_delete_all(enterprise_id=enterprise or None, team_id=workspace or None)

    return delete


async def _tools(
    stack: AsyncExitStack, settings: Settings, services: Services, clients: Clients, metrics: PrometheusMetrics
) -> Tools:
    most_bytes = settings.max_image_mb * MEGA
    slack_files = SlackFiles(
        max_bytes=most_bytes, timeout_s=settings.fetch_timeout_s, slack_api_url=settings.slack_api_url
    )
    stack.push_async_callback(slack_files.close)
    return Tools(
        storage=services.storage,
        search=services.search,
        files=SharedFiles(slack_files.download, most_bytes=most_bytes),
        pictures=services.normaliser,
        clients=clients,
        metrics=metrics,
        guard=Guard(),
    )


def _thumbnails(services: Services) -> ThumbnailStore:
    return ThumbnailStore(services.storage.pictures, services.normaliser.run)


def _desk(settings: Settings, services: Services, tools: Tools, links: MediaLinks | None) -> Desk:
    storage = services.storage
    uploads, acquaintance = Uploads(storage.thumbnails, _thumbnails(services)), Acquaintance()
    return Desk(
        visual=services.visual,
        catalogue=storage.catalogue,
        inbox=storage.inbox,
        lookup=services.lookup,
        databases=services.databases,
        adding=services.adding,
        listing=services.listing,
        deleting=services.deleting,
        watching=WatchService(storage.bindings, storage.catalogue),
        permissions=PermissionService(frozenset(settings.admins)),
        finder=Finder(services.lookup, tools.files, tools.pictures, services.fetcher.fetch, storage.inbox),
        presenter=assembly.presenter(tools, uploads, acquaintance, links.url if links else None),
        acquaintance=acquaintance,
        uploads=uploads,
    )


def _checks(services: Services, settings: Settings) -> Mapping[str, Check]:
    client = web_client(settings.slack_bot_token, settings.slack_api_url)
    return {
        "storage": services.storage.ping,
        "search": services.visual.ping,
        "pictures": services.storage.pictures.ping,
        "slack": lambda: check_slack(client),
    }


def _over_http(settings: Settings) -> bool:
    """Whether Slack delivers by HTTP: Socket Mode has no use for that."""
    delivered = settings.takes_deliveries and settings.slack_app_token is None
    return delivered and settings.slack_signing_secret is not None


def _installation_pages(
    settings: Settings, services: Services, clients: Clients, store: SqlInstallations | None
) -> InstallationPages:
    if store is None:
        return {}
    oauth = OAuth(
        settings.slack_client_id or "",
        settings.slack_client_secret or "",
        settings.slack_api_url,
        settings.public_base_url,
    )
    storage = services.storage
    install, oauth_redirect = http.installation(
        oauth_flow(oauth, store, storage.oauth_states(), clients, storage.catalogue.adopt)
    )
    return {"install": install, "oauth_redirect": oauth_redirect}


@asynccontextmanager
async def _working(worker: Worker) -> AsyncIterator[None]:
    """Inside, jobs are done; on the way out, those under way are finished."""
    running = asyncio.create_task(worker.run(), name="worker")
    try:
        yield
    finally:
        if unfinished := await worker.stop(FINISH_WITHIN_S):
            log.warning("stopped with %d jobs unfinished: they are taken up at the next start", unfinished)
        await running


@asynccontextmanager
async def _upkeep(settings: Settings, services: Services, clients: Clients, uploads: Uploads) -> AsyncIterator[None]:
    """Inside, what is too old is forgotten now and then."""

    async def tidy() -> None:
        for workspace, enterprise in await services.storage.catalogue.connected():
            with contextlib.suppress(TryAgain):
                if client := await clients.client(workspace, enterprise):
                    await uploads.sweep(workspace, client)

    upkeep = Upkeep(services.forgetting, services.storage.inbox, settings.retention_days, tidy=tidy)
    running = asyncio.create_task(upkeep.run(), name="upkeep")
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
