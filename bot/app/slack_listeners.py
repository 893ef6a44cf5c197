"""Composes the Slack listeners, the job runner and the presenter, and registers the listeners with Bolt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot.services.access.overview import OverviewService
from bot.services.access.privacy import PrivacyService
from bot.services.channels.collection import CollectService
from bot.services.channels.history_pace import PastWork
from bot.services.channels.repost_guard import RepostGuard
from bot.services.images.importer import ImportService
from bot.services.maintenance.removal import RemovalService
from bot.services.search.search import SearchService
from bot.storage.ports.storage import Storage
from bot.telemetry.metrics import Metrics
from handlers.errors import ListenerWrapper
from handlers.history.past_pictures import PastPictures
from handlers.history.progress import HistoryProgress
from handlers.history.reading import HistoryReader
from handlers.history.worker import HistoryWorker
from handlers.inbox.deferred_requests import DeferredRequests, InlineRequests, RequestDeferral
from handlers.inbox.middleware import InboxMiddleware
from handlers.inbox.picture_sightings import PictureSightings
from handlers.inbox.waiting_notices import WaitingNotices
from handlers.jobs.collector import ShareCollector
from handlers.jobs.deferred_runner import DeferredRequestRunner
from handlers.jobs.deletions import DeletionRunner
from handlers.jobs.import_pictures import SaveFile
from handlers.jobs.job_runner import JobRunner
from handlers.jobs.queued_questions import QueuedQuestions
from handlers.jobs.shares import ShareRunner
from handlers.jobs.table_imports import TableImportRunner
from handlers.jobs.uninstalls import UninstallRunner
from handlers.listeners.actions import ActionListener
from handlers.listeners.app_home import HomeListener
from handlers.listeners.commands import CommandListener
from handlers.listeners.listener_set import Listeners
from handlers.listeners.mentions import MentionListener
from handlers.listeners.report_actions import ReportActionListener
from handlers.listeners.shortcuts import ShortcutListener
from handlers.listeners.views import ViewListener
from handlers.modals.forms import ModalOpener
from handlers.moderation.report_actions import ReportButtons
from handlers.moderation.report_composer import ReportComposer
from handlers.moderation.report_editor import DueDeletions, ReportEditor
from handlers.moderation.report_sender import ReportSender
from handlers.register import register
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.picture_lookup import PictureFinder
from handlers.replies.presenter import AnswerPresenter, MakeLink
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.clients import Clients
from handlers.slack.directory import DirectoryCache
from handlers.slack.files import HoldMemory, PictureReader, SharedFileReader
from handlers.slack.installation_records import Installations


@dataclass(frozen=True, slots=True)
class SlackInfrastructure:
    """What listeners and jobs share, besides ``SlackDependencies``."""

    storage: Storage
    search: SearchService
    files: SharedFileReader
    save: SaveFile
    fetch: Callable[[str], Awaitable[bytes]]
    max_image_bytes: int
    hold_memory: HoldMemory
    imports: ImportService
    pictures: PictureReader
    clients: Clients
    metrics: Metrics
    wrapper: ListenerWrapper
    sightings: PictureSightings


def attach(
    stack: AsyncExitStack,
    app: AsyncApp,
    dependencies: SlackDependencies,
    infrastructure: SlackInfrastructure,
    wake: Callable[[], None],
    *,
    bot_user: str,
    runs_jobs: bool,
    note_event: Callable[[Mapping[str, Any]], None],
) -> None:
    """Register the inbox middleware and every listener.

    The middleware calls ``wake`` for each new job, and ``note_event`` for each delivery. Unless this process
    ``runs_jobs``, requests that read pictures go to workers. ``stack`` closes what was built.
    """
    storage = infrastructure.storage
    long_requests = _deferred_requests(stack, storage)
    deferral = InlineRequests() if runs_jobs else long_requests
    notices = WaitingNotices(storage.inbox)
    stack.push_async_callback(notices.close)
    questions = QueuedQuestions(notices, infrastructure.clients, dependencies.channel_settings)
    middleware = InboxMiddleware(
        storage.inbox,
        storage.catalogue,
        wake,
        bot_user,
        questions.watch,
        sightings=infrastructure.sightings,
        note_event=note_event,
    )
    register(app, infrastructure.wrapper, middleware, _listeners(dependencies, infrastructure, deferral, long_requests))


def _listeners(
    dependencies: SlackDependencies,
    infrastructure: SlackInfrastructure,
    deferral: RequestDeferral,
    long_requests: RequestDeferral,
) -> Listeners:
    """Build all listeners. ``deferral`` runs requests that read pictures, ``long_requests`` those that take long."""
    answers = AnswerComposer(dependencies)
    forms = ModalOpener(dependencies, answers)
    home = HomeListener(dependencies, answers, infrastructure.wrapper)
    commands = CommandListener(
        dependencies, answers, forms, deferral, infrastructure.metrics, long_requests=long_requests
    )
    return Listeners(
        commands=commands,
        mentions=MentionListener(commands, dependencies, answers, infrastructure.metrics),
        actions=ActionListener(
            dependencies,
            answers,
            forms,
            home,
            commands,
            deferral=deferral,
            metrics=infrastructure.metrics,
            reports=ReportActionListener(report_buttons(dependencies, infrastructure.storage)),
        ),
        views=ViewListener(dependencies, answers, home, deferral, infrastructure.metrics),
        shortcuts=ShortcutListener(answers, forms, deferral, infrastructure.metrics),
        home=home,
    )


def _deferred_requests(stack: AsyncExitStack, storage: Storage) -> DeferredRequests:
    deferred = DeferredRequests(storage.inbox)
    stack.push_async_callback(deferred.close)
    return deferred


def job_runner(
    dependencies: SlackDependencies,
    infrastructure: SlackInfrastructure,
    removal: RemovalService,
    installations: Installations,
) -> JobRunner:
    """Build the runner of all kinds of jobs."""
    storage = infrastructure.storage
    collector, _ = _collecting(dependencies, infrastructure)
    reports = ReportSender(
        report_composer(dependencies, storage),
        storage.reports,
        storage.locks,
        dependencies.presenter,
        dependencies.directories,
    )
    shares = ShareRunner(
        clients=infrastructure.clients,
        inbox=storage.inbox,
        channel_settings=dependencies.channel_settings,
        lookup=dependencies.lookup,
        files=infrastructure.files,
        pictures=infrastructure.pictures,
        presenter=dependencies.presenter,
        collector=collector,
        reports=reports,
        directories=dependencies.directories,
        updates=dependencies.updates,
    )
    imports = TableImportRunner(
        dependencies,
        AnswerComposer(dependencies),
        infrastructure.imports,
        infrastructure.files,
        save=infrastructure.save,
        fetch=infrastructure.fetch,
        max_image_bytes=infrastructure.max_image_bytes,
        hold_memory=infrastructure.hold_memory,
    )
    return JobRunner(
        shares=shares,
        deferred=DeferredRequestRunner(
            _listeners(dependencies, infrastructure, InlineRequests(), InlineRequests()),
            infrastructure.clients,
            imports,
        ),
        uninstalls=UninstallRunner(removal, storage.catalogue, infrastructure.clients, installations),
        deletions=DeletionRunner(removal, infrastructure.clients, dependencies.uploads),
        inbox=storage.inbox,
    )


def report_composer(dependencies: SlackDependencies, storage: Storage) -> ReportComposer:
    """Build the composer of the guard's reports."""
    return ReportComposer(
        storage.reports, dependencies.catalogue, dependencies.channel_settings, dependencies.presenter
    )


def report_buttons(dependencies: SlackDependencies, storage: Storage) -> ReportButtons:
    """Build what handles the buttons of reports."""
    return ReportButtons(dependencies, storage.reports, storage.report_actions, report_editor(dependencies, storage))


def report_editor(dependencies: SlackDependencies, storage: Storage) -> ReportEditor:
    """Build what edits the messages of reports."""
    composer = report_composer(dependencies, storage)
    return ReportEditor(composer, storage.reports, storage.locks, dependencies.directories)


def due_deletions(
    dependencies: SlackDependencies, storage: Storage, clients: Clients, retention_days: int | None
) -> DueDeletions:
    """Build what deletes originals that moderators forgot, and old reports."""
    return DueDeletions(
        storage.reports,
        storage.report_actions,
        dependencies.catalogue,
        dependencies.deletions,
        clients=clients,
        editor=report_editor(dependencies, storage),
        retention_days=retention_days,
    )


def _collecting(
    dependencies: SlackDependencies, infrastructure: SlackInfrastructure
) -> tuple[ShareCollector, CollectService]:
    collecting = CollectService(dependencies.additions, infrastructure.storage)
    guard = RepostGuard(infrastructure.search, collecting, infrastructure.storage.locks)
    files, pictures = infrastructure.files, infrastructure.pictures
    return ShareCollector(collecting, guard, files, pictures, dependencies.presenter), collecting


def history_worker(
    dependencies: SlackDependencies, infrastructure: SlackInfrastructure, work: PastWork
) -> HistoryWorker:
    """Build the worker that imports channels' histories, and counts in ``work`` while it adds pictures."""
    collector, collecting = _collecting(dependencies, infrastructure)
    pictures = PastPictures(
        channel_settings=dependencies.channel_settings,
        lookup=dependencies.lookup,
        files=infrastructure.files,
        collector=collector,
        collecting=collecting,
        directories=dependencies.directories,
    )
    return HistoryWorker(
        storage=infrastructure.storage,
        clients=infrastructure.clients,
        reader=HistoryReader(dependencies.directories),
        pictures=pictures,
        progress=HistoryProgress(dependencies.history, dependencies.history_calls_per_min),
        calls_per_min=dependencies.history_calls_per_min,
        idle_s=lambda: dependencies.lookup.idle_s,
        work=work,
    )


def presenter(
    infrastructure: SlackInfrastructure,
    uploads: ThumbnailUploads,
    directories: DirectoryCache,
    link_of: MakeLink | None,
    *,
    guests_see_imports: bool,
) -> AnswerPresenter:
    """Build the presenter, which shows each reader only what they may see."""
    catalogue = infrastructure.storage.catalogue
    privacy = PrivacyService(catalogue, guests_see_imports=guests_see_imports)
    return AnswerPresenter(privacy, directories, catalogue, uploads, link_of)


def overview(storage: Storage, *, guests_see_imports: bool, reads_texts: bool) -> OverviewService:
    """Build the service that reads all databases for one reader."""
    privacy = PrivacyService(storage.catalogue, guests_see_imports=guests_see_imports)
    return OverviewService(storage.home, privacy, guests_see_imports=guests_see_imports, reads_texts=reads_texts)


__all__ = [
    "DirectoryCache",
    "HistoryReader",
    "PictureFinder",
    "SlackInfrastructure",
    "ThumbnailUploads",
    "attach",
    "due_deletions",
    "history_worker",
    "job_runner",
    "overview",
    "presenter",
]
