"""Composes the Slack app: the services, a Bolt app with all listeners, the job worker, maintenance and the web app."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict, Unpack

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from starlette.types import ASGIApp

from bot.app.back_ends.dependencies import media_links
from bot.app.background import caught_up, running_jobs
from bot.app.services import Overrides, Services, build_services
from bot.app.slack import listeners, workers
from bot.app.slack.dependencies import build_dependencies, build_infrastructure, thumbnails, view_of
from bot.app.transfer.scheduled_backups import running_backups
from bot.config.settings import Settings
from bot.config.version import installed_version
from bot.domain.errors import BackendRefused, SettingsError
from bot.media.links import MediaLinks
from bot.services.job_worker import JobWorker
from bot.services.maintenance.missing_databases import find_missing_databases
from bot.services.maintenance.obligations import ObligationReporter
from bot.telemetry import traces
from bot.telemetry.prometheus import PrometheusMetrics
from bot.web import web_app
from bot.web.entity_page import ViewEntity
from bot.web.health import HealthCheck
from bot.web.slack_endpoint import SlackEndpoint
from bot.web.slack_signature import SlackSignature
from handlers.errors import ListenerWrapper
from handlers.history.catch_up import SeenEvents
from handlers.moderation.report_editor import DueDeletions
from handlers.slack import http_bridge
from handlers.slack.clients import Clients, CombinedClients, SingleWorkspaceClients, web_client
from handlers.slack.connection import Identity, bolt_app, check_slack, identify
from handlers.slack.installation_records import InstallationRecords
from handlers.slack.installed_workspaces import InstalledClients
from handlers.slack.oauth import OAuth, oauth_flow

if TYPE_CHECKING:
    from bot.storage.slack.installations import SqlInstallations

log = logging.getLogger(__name__)

DATABASES_MISSING = (
    "the %s back end lacks databases of the catalogue (%s of %s): if you used another back end before, copy them with"
    " “vsearch migrate”; otherwise “vsearch reconcile --mend” adds their images from the stored pictures"
)

TOKENS_UNREADABLE = (
    "SLACK_STATE_SECRET is not the one that the stored tokens were encrypted with. Set the former one. If you lost it,"
    " see docs/operating.md."
)


class InstallationPages(TypedDict, total=False):
    """The handlers of the OAuth installation pages; empty without OAuth."""

    install: http_bridge.Handler
    oauth_redirect: http_bridge.Handler


@dataclass(frozen=True, slots=True)
class SlackApp:
    """The composed app. ``identity`` is None if only OAuth installations have tokens; ``web`` is not served yet."""

    services: Services
    identity: Identity | None
    wrapper: ListenerWrapper
    bolt: AsyncApp
    web: ASGIApp
    metrics: PrometheusMetrics
    worker: JobWorker
    due: DueDeletions


@asynccontextmanager
async def build(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[SlackApp]:
    """Build the app and start its worker and maintenance; calls ``auth.test`` but opens no connection for deliveries.

    On exit, jobs in progress are finished. Raises SlackUnavailable, SettingsError and BackendError.
    """
    metrics = PrometheusMetrics()
    client = web_client(settings.slack_bot_token, settings.slack_api_url)
    identity = await identify(client) if settings.slack_bot_token else None
    verified_at = datetime.now(UTC)
    async with build_services(settings, **({"metrics": metrics} | overrides)) as services, AsyncExitStack() as stack:
        store = await _installations(settings, services)
        clients = _clients(stack, settings, identity, store)
        infrastructure = await build_infrastructure(stack, settings, services, clients, metrics)
        links = await media_links(settings, services.storage)
        dependencies = build_dependencies(settings, services, infrastructure, links)
        stack.push_async_callback(dependencies.updates.close)
        stack.push_async_callback(dependencies.statuses.close)
        installations = InstallationRecords(store, identity.workspace if identity else "", verified_at)
        runner = workers.job_runner(dependencies, infrastructure, services.removal, installations)
        worker = JobWorker(services.storage.inbox, runner.run, runner.give_up, metrics=metrics)
        bolt = bolt_app(web_client(None, settings.slack_api_url), clients, settings.slack_signing_secret)
        bot_user, seen = identity.bot_user if identity else "", SeenEvents(services.storage)
        listeners.attach(
            stack,
            bolt,
            dependencies,
            infrastructure,
            worker.wake,
            bot_user=bot_user,
            runs_jobs=settings.runs_jobs,
            note_event=seen.note,
        )
        if identity is not None:
            # The operator chose this workspace. Anybody may install the app in another one through its page.
            await services.storage.catalogue.record_workspace(
                identity.workspace, identity.enterprise or "", adopts_local=True
            )
        endpoint = _endpoint(settings, http_bridge.deliveries(bolt, infrastructure.wrapper, metrics))
        pages = await _installation_pages(settings, services, clients, store)
        web = traces.served(
            _web_app(
                settings,
                services,
                endpoint=endpoint,
                pages=pages,
                links=links,
                metrics=metrics,
                view=view_of(dependencies, clients),
            )
        )
        await _warn_of_missing_databases(services)
        async with AsyncExitStack() as jobs:
            due = workers.due_deletions(dependencies, services.storage, clients, settings.retention_days)
            if settings.takes_deliveries:
                await jobs.enter_async_context(caught_up(settings, services.storage, seen))
            if settings.runs_jobs:
                history = workers.history_worker(dependencies, infrastructure, services.past_work)
                jobs_of = running_jobs(services, worker, clients, dependencies.uploads, (due.run, history.run))
                await jobs.enter_async_context(jobs_of)
                await jobs.enter_async_context(running_backups(settings, metrics))
            yield SlackApp(services, identity, infrastructure.wrapper, bolt, web, metrics, worker, due)


def _web_app(
    settings: Settings,
    services: Services,
    *,
    endpoint: SlackEndpoint | None,
    pages: InstallationPages,
    links: MediaLinks | None,
    metrics: PrometheusMetrics,
    view: ViewEntity,
) -> ASGIApp:
    storage = services.storage
    reporter = ObligationReporter(storage.inbox, storage.catalogue, settings.retention_days)

    async def details() -> tuple[str, ...]:
        working = (*await services.points.progress(), *await services.text_reading.progress())
        return (*await reporter.late(), *working)

    return web_app(
        slack=endpoint,
        **pages,
        media=links,
        view_entity=view,
        pictures=thumbnails(services),
        catalogue=storage.catalogue,
        relayed=storage.relayed,
        checks=_checks(services, settings),
        metrics=metrics,
        inbox=storage.inbox,
        details=details,
        obligations=reporter.report,
        texts=services.text_reading.counts,
        version=installed_version(),
    )


async def _warn_of_missing_databases(services: Services) -> None:
    """Log databases that the back end lacks, such as after VSEARCH_BACKEND was changed without a migration."""
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


def _checks(services: Services, settings: Settings) -> Mapping[str, HealthCheck]:
    client = web_client(settings.slack_bot_token, settings.slack_api_url)
    return {
        "storage": services.storage.ping,
        "search": services.visual.ping,
        "pictures": services.storage.pictures.ping,
        "slack": lambda: check_slack(client),
    }


def _endpoint(settings: Settings, handle: http_bridge.Handler) -> SlackEndpoint | None:
    """Return the endpoint of Slack's deliveries; None if they come through Socket Mode or go to another process."""
    is_over_http = settings.takes_deliveries and settings.slack_app_token is None
    if not is_over_http or settings.slack_signing_secret is None:
        return None
    return SlackEndpoint(handle, SlackSignature(settings.slack_signing_secret))


async def _installation_pages(
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
        oauth_flow(oauth, store, await storage.oauth_states(), clients, storage.catalogue.record_workspace)
    )
    return {"install": install, "oauth_redirect": oauth_redirect}
