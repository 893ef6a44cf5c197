"""Builds what runs in the background: the job runner, the worker of histories, and due deletions."""

from __future__ import annotations

from bot.app.slack.dependencies import SlackInfrastructure
from bot.app.slack.listeners import build_listeners, report_composer, report_editor
from bot.services.channels.collection import CollectService
from bot.services.channels.history_pace import PastWork
from bot.services.channels.repost_guard import RepostGuard
from bot.services.maintenance.removal import RemovalService
from bot.storage.ports.storage import Storage
from handlers.history.adding import PictureAdder
from handlers.history.lookup_yield import LookupYield, YieldingPictureReader
from handlers.history.past_pictures import PastPictures
from handlers.history.progress import HistoryProgress
from handlers.history.reading import HistoryReader
from handlers.history.worker import HistoryWorker
from handlers.inbox.deferred_requests import InlineRequests
from handlers.jobs.collector import ShareCollector
from handlers.jobs.deferred_runner import DeferredRequestRunner
from handlers.jobs.deletions import DeletionRunner
from handlers.jobs.job_runner import JobRunner
from handlers.jobs.shares import ShareRunner
from handlers.jobs.table_imports import TableImportRunner
from handlers.jobs.uninstalls import UninstallRunner
from handlers.moderation.report_editor import DueDeletions
from handlers.moderation.report_sender import ReportSender
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.slack.clients import Clients
from handlers.slack.files import PictureReader
from handlers.slack.installation_records import Installations


def job_runner(
    dependencies: SlackDependencies,
    infrastructure: SlackInfrastructure,
    removal: RemovalService,
    installations: Installations,
) -> JobRunner:
    """Build the runner of all kinds of jobs."""
    storage = infrastructure.storage
    collector, _ = _collecting(dependencies, infrastructure, infrastructure.pictures)
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
        statuses=dependencies.statuses,
        usage=dependencies.usage,
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
            build_listeners(dependencies, infrastructure, InlineRequests(), InlineRequests()),
            infrastructure.clients,
            imports,
        ),
        uninstalls=UninstallRunner(removal, storage.catalogue, infrastructure.clients, installations),
        deletions=DeletionRunner(removal, infrastructure.clients, dependencies.uploads),
        inbox=storage.inbox,
    )


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
    dependencies: SlackDependencies, infrastructure: SlackInfrastructure, pictures: PictureReader
) -> tuple[ShareCollector, CollectService]:
    collecting = CollectService(dependencies.additions, infrastructure.storage)
    guard = RepostGuard(infrastructure.search, collecting, infrastructure.storage.locks)
    collector = ShareCollector(
        collecting,
        guard,
        infrastructure.files,
        pictures,
        presenter=dependencies.presenter,
        directories=dependencies.directories,
        overview=dependencies.job_overview,
    )
    return collector, collecting


def history_worker(
    dependencies: SlackDependencies, infrastructure: SlackInfrastructure, work: PastWork
) -> HistoryWorker:
    """Build the worker that imports channels' histories, and counts in ``work`` while it adds pictures."""
    lookups = LookupYield(lambda: dependencies.lookup.idle_s)
    decoder = YieldingPictureReader(infrastructure.pictures, lookups)
    collector, collecting = _collecting(dependencies, infrastructure, decoder)
    reader = HistoryReader(dependencies.directories)
    pictures = PastPictures(
        channel_settings=dependencies.channel_settings,
        lookup=dependencies.lookup,
        files=infrastructure.files,
        collector=collector,
        collecting=collecting,
        directories=dependencies.directories,
        lookups=lookups,
    )
    return HistoryWorker(
        storage=infrastructure.storage,
        clients=infrastructure.clients,
        reader=reader,
        adder=PictureAdder(
            imports=infrastructure.storage.history, reader=reader, pictures=pictures, lookups=lookups, work=work
        ),
        progress=HistoryProgress(dependencies.history, dependencies.history_calls_per_min),
        calls_per_min=dependencies.history_calls_per_min,
    )
