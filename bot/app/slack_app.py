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

from bot.app import slack_listeners
from bot.app.back_ends.dependencies import MEGA, media_links
from bot.app.services import Overrides, Services, build_services
from bot.app.slack_listeners import DirectoryCache, PictureFinder, SlackInfrastructure, ThumbnailUploads
from bot.config.settings import Settings
from bot.domain.errors import BackendRefused, RetryLater, SettingsError
from bot.domain.identifiers import WorkspaceId
from bot.images.fetch.slack_files import SlackFiles
from bot.images.thumbnails import ThumbnailStore
from bot.media.links import MediaLinks
from bot.services.access.permissions import PermissionService
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.job_worker import JobWorker
from bot.services.maintenance.missing_databases import find_missing_databases
from bot.services.maintenance.periodic_cleanup import PeriodicMaintenance
from bot.telemetry.metrics import PrometheusMetrics
from bot.web import web_app
from bot.web.health import HealthCheck
from handlers.errors import ListenerWrapper
from handlers.inbox.deferred_requests import DeferredRequests, InlineRequests
from handlers.jobs.job_runner import DeleteTokens
from handlers.replies.dependencies import SlackDependencies
from handlers.slack import http_bridge
from handlers.slack.clients import Clients, CombinedClients, SingleWorkspaceClients, web_client
from handlers.slack.connection import Identity, bolt_app, check_slack, identify
from handlers.slack.files import SharedFileReader
from handlers.slack.installed_workspaces import InstalledClients
from handlers.slack.oauth import OAuth, oauth_flow

if TYPE_CHECKING:
    from bot.storage.slack.installations import SqlInstallations

log = logging.getLogger(__name__)

DRAIN_TIMEOUT_S = 14
"""For jobs that are under way at the end; platforms such as Heroku kill a process 30 seconds after SIGTERM."""

DATABASES_MISSING = (
    "the %s back end lacks databases of the catalogue (%s of %s): if another was in use before, “vsearch migrate” moves"
    " them; “vsearch reconcile --mend” fills them from the stored pictures"
)

TOKENS_UNREADABLE = (
    "SLACK_STATE_SECRET is not the one that the stored tokens were encrypted with: set the former one; if it is lost,"
    " docs/operating.md says what to do."
)


class InstallationPages(TypedDict, total=False):
    """The pages of an installation, where there is one."""

    install: http_bridge.Handler
    oauth_redirect: http_bridge.Handler


@dataclass(frozen=True, slots=True)
class SlackApp:
    """The whole house. ``identity`` is None where only installations have tokens; ``web`` is not served yet."""

    services: Services
    identity: Identity | None
    wrapper: ListenerWrapper
    bolt: AsyncApp
    web: ASGIApp
    metrics: PrometheusMetrics
    worker: JobWorker


@asynccontextmanager
async def build(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[SlackApp]:
    """Everything, its worker running, connected to nothing yet but Slack's ``auth.test``.

    On the way out the jobs under way are finished. Raises SlackUnavailable, SettingsError and BackendError.
    """
    metrics = PrometheusMetrics()
    client = web_client(settings.slack_bot_token, settings.slack_api_url)
    identity = await identify(client) if settings.slack_bot_token else None
    async with build_services(settings, **({"metrics": metrics} | overrides)) as services, AsyncExitStack() as stack:
        store = await _installations(settings, services)
        clients = _clients(stack, settings, identity, store)
        infrastructure = await _infrastructure(stack, settings, services, clients, metrics)
        links = await media_links(settings, services.storage)
        dependencies = _dependencies(settings, services, infrastructure, links)
        bolt = bolt_app(web_client(None, settings.slack_api_url), clients, settings.slack_signing_secret)
        runner = slack_listeners.job_runner(dependencies, infrastructure, services.removal, _delete_tokens(store))
        worker = JobWorker(services.storage.inbox, runner.run, runner.give_up, metrics=metrics)
        deferral = InlineRequests() if settings.runs_jobs else _deferral(stack, services)
        listeners = slack_listeners.listeners(dependencies, infrastructure, deferral)
        slack_listeners.attach(bolt, listeners, infrastructure, worker.wake, identity.bot_user if identity else "")
        if identity is not None:
            await services.storage.catalogue.adopt(identity.workspace, identity.enterprise or "")
        web = web_app(
            slack=http_bridge.deliveries(bolt, infrastructure.wrapper, metrics) if _over_http(settings) else None,
            **_installation_pages(settings, services, clients, store),
            media=links,
            pictures=_thumbnails(services),
            catalogue=services.storage.catalogue,
            relayed=services.storage.relayed,
            checks=_checks(services, settings),
            metrics=metrics,
            inbox=services.storage.inbox,
        )
        await _warn_of_missing_databases(services)
        async with AsyncExitStack() as jobs:
            if settings.runs_jobs:
                await jobs.enter_async_context(_running_worker(worker))
                await jobs.enter_async_context(
                    _running_maintenance(settings, services, infrastructure.clients, dependencies.uploads)
                )
            yield SlackApp(services, identity, infrastructure.wrapper, bolt, web, metrics, worker)


def _deferral(stack: AsyncExitStack, services: Services) -> DeferredRequests:
    deferral = DeferredRequests(services.storage.inbox)
    stack.push_async_callback(deferral.close)
    return deferral


async def _warn_of_missing_databases(services: Services) -> None:
    """Another back end may have been set without a move."""
    visual = services.visual
    for lost in await find_missing_databases(services.storage.catalogue, visual.list_databases):
        log.warning(DATABASES_MISSING, visual.capabilities.name, ", ".join(lost.names), lost.workspace)


async def _installations(settings: Settings, services: Services) -> SqlInstallations | None:
    if not settings.many_workspaces:
        return None
    store = services.storage.installations(settings.slack_state_secret or "")
    try:
        await store.check()
    except BackendRefused as error:
        raise SettingsError((TOKENS_UNREADABLE,)) from error
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
        known.append(SingleWorkspaceClients(result, settings.slack_api_url))
    if store is not None:
        oauth = settings.slack_client_id or "", settings.slack_client_secret or ""
        installed = InstalledClients(store, *oauth, settings.slack_api_url)
        stack.push_async_callback(installed.close)
        known.append(installed)
    return known[0] if len(known) == 1 else CombinedClients(known)


def _delete_tokens(store: SqlInstallations | None) -> DeleteTokens:
    async def delete(enterprise: str, workspace: WorkspaceId) -> None:
        if store is not None:
            await store.async_delete_all(enterprise_id=enterprise or None, team_id=workspace or None)

    return delete


async def _infrastructure(
    stack: AsyncExitStack, settings: Settings, services: Services, clients: Clients, metrics: PrometheusMetrics
) -> SlackInfrastructure:
    max_bytes = settings.max_image_mb * MEGA
    slack_files = SlackFiles(
        max_bytes=max_bytes, timeout_s=settings.fetch_timeout_s, slack_api_url=settings.slack_api_url
    )
    stack.push_async_callback(slack_files.close)
    return SlackInfrastructure(
        storage=services.storage,
        search=services.search,
        files=SharedFileReader(slack_files.download, max_bytes=max_bytes),
        pictures=services.normaliser,
        clients=clients,
        metrics=metrics,
        wrapper=ListenerWrapper(),
    )


def _thumbnails(services: Services) -> ThumbnailStore:
    return ThumbnailStore(services.storage.pictures, services.normaliser.run)


def _dependencies(
    settings: Settings, services: Services, infrastructure: SlackInfrastructure, links: MediaLinks | None
) -> SlackDependencies:
    storage = services.storage
    uploads, acquaintance = ThumbnailUploads(storage.thumbnails, _thumbnails(services)), DirectoryCache()
    return SlackDependencies(
        visual=services.visual,
        catalogue=storage.catalogue,
        inbox=storage.inbox,
        lookup=services.lookup,
        databases=services.databases,
        adding=services.adding,
        listing=services.listing,
        deleting=services.deleting,
        watching=ChannelSettingsService(storage.bindings, storage.catalogue),
        permissions=PermissionService(frozenset(settings.admins)),
        finder=PictureFinder(
            services.lookup, infrastructure.files, infrastructure.pictures, services.fetcher.fetch, storage.inbox
        ),
        presenter=slack_listeners.presenter(infrastructure, uploads, acquaintance, links.url if links else None),
        directories=acquaintance,
        uploads=uploads,
    )


def _checks(services: Services, settings: Settings) -> Mapping[str, HealthCheck]:
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
    install, oauth_redirect = http_bridge.installation(
        oauth_flow(oauth, store, storage.oauth_states(), clients, storage.catalogue.adopt)
    )
    return {"install": install, "oauth_redirect": oauth_redirect}


@asynccontextmanager
async def _running_worker(worker: JobWorker) -> AsyncIterator[None]:
    """Inside, jobs are done; on the way out, those under way are finished."""
    running = asyncio.create_task(worker.run(), name="worker")
    try:
        yield
    finally:
        if unfinished := await worker.stop(DRAIN_TIMEOUT_S):
            log.warning("stopped with %d jobs unfinished: they are taken up at the next start", unfinished)
        await running


@asynccontextmanager
async def _running_maintenance(
    settings: Settings, services: Services, clients: Clients, uploads: ThumbnailUploads
) -> AsyncIterator[None]:
    """Inside, what is too old is forgotten now and then."""

    async def tidy() -> None:
        for workspace, enterprise in await services.storage.catalogue.connected():
            with contextlib.suppress(RetryLater):
                if client := await clients.client(workspace, enterprise):
                    await uploads.sweep(workspace, client)

    upkeep = PeriodicMaintenance(services.removal, services.storage.inbox, settings.retention_days, clean_up=tidy)
    running = asyncio.create_task(upkeep.run(), name="upkeep")
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
