"""Puts the listeners together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slack_bolt.app.async_app import AsyncApp

from bot.metrics import Metrics
from bot.services.collecting import CollectService, RepostGuard
from bot.services.forgetting import ForgetService
from bot.services.privacy import PrivacyService
from bot.services.search import SearchService
from bot.storage.base import Storage
from handlers.actions import ActionListener
from handlers.answers import AnswerComposer
from handlers.clients import Clients
from handlers.commands import CommandListener
from handlers.conversations import DirectoryCache
from handlers.desk import SlackDependencies
from handlers.errand_runner import DeferredRequestRunner
from handlers.errands import InlineRequests, RequestDeferral
from handlers.finding import PictureFinder
from handlers.forms import ModalOpener
from handlers.guard import ListenerWrapper
from handlers.home import HomeListener
from handlers.intake import InboxMiddleware
from handlers.job_runner import DeleteTokens, JobRunner
from handlers.keeping import ShareCollector
from handlers.listeners import Listeners
from handlers.mentions import MentionListener
from handlers.presenting import AnswerPresenter, MakeLink
from handlers.register import register
from handlers.shared_files import PictureReader, SharedFileReader
from handlers.shares import ShareRunner
from handlers.shortcuts import ShortcutListener
from handlers.uploads import ThumbnailUploads
from handlers.views import ViewListener


@dataclass(frozen=True, slots=True)
class SlackInfrastructure:
    """What Slack's side is made with, besides the desk."""

    storage: Storage
    search: SearchService
    files: SharedFileReader
    pictures: PictureReader
    clients: Clients
    metrics: Metrics
    wrapper: ListenerWrapper


def attach(
    app: AsyncApp, listeners: Listeners, infrastructure: SlackInfrastructure, wake: Callable[[], None], bot_user: str
) -> None:
    """Attach every listener; ``wake`` is called when the inbox has something new."""
    intake = InboxMiddleware(infrastructure.storage.inbox, infrastructure.storage.catalogue, wake, bot_user)
    register(app, infrastructure.wrapper, intake, listeners)


def listeners(
    dependencies: SlackDependencies, infrastructure: SlackInfrastructure, deferral: RequestDeferral
) -> Listeners:
    """All of them; ``deferral``: who looks at pictures for them."""
    answers = AnswerComposer(dependencies)
    forms = ModalOpener(dependencies, answers)
    home = HomeListener(dependencies, answers, infrastructure.wrapper)
    commands = CommandListener(dependencies, answers, forms, deferral, infrastructure.metrics)
    return Listeners(
        commands=commands,
        mentions=MentionListener(commands, dependencies.directories),
        actions=ActionListener(dependencies, answers, forms, home, deferral=deferral, metrics=infrastructure.metrics),
        views=ViewListener(dependencies, answers, home, deferral, infrastructure.metrics),
        shortcuts=ShortcutListener(answers, forms, deferral, infrastructure.metrics),
        home=home,
    )


def job_runner(
    dependencies: SlackDependencies,
    infrastructure: SlackInfrastructure,
    forgetting: ForgetService,
    delete_tokens: DeleteTokens,
) -> JobRunner:
    """What the inbox's worker runs."""
    storage, collecting = infrastructure.storage, CollectService(dependencies.adding, infrastructure.storage)
    collector = ShareCollector(
        collecting,
        RepostGuard(infrastructure.search, collecting),
        infrastructure.files,
        infrastructure.pictures,
        dependencies.presenter,
    )
    shares = ShareRunner(
        clients=infrastructure.clients,
        inbox=storage.inbox,
        watching=dependencies.watching,
        lookup=dependencies.lookup,
        files=infrastructure.files,
        pictures=infrastructure.pictures,
        presenter=dependencies.presenter,
        collector=collector,
        directories=dependencies.directories,
    )
    return JobRunner(
        shares=shares,
        deferral=DeferredRequestRunner(
            listeners(dependencies, infrastructure, InlineRequests()), infrastructure.clients
        ),
        forgetting=forgetting,
        catalogue=storage.catalogue,
        clients=infrastructure.clients,
        uploads=dependencies.uploads,
        delete_tokens=delete_tokens,
    )


def presenter(
    infrastructure: SlackInfrastructure,
    uploads: ThumbnailUploads,
    directories: DirectoryCache,
    link_of: MakeLink | None,
) -> AnswerPresenter:
    """What makes answers that may be shown."""
    return AnswerPresenter(PrivacyService(), directories, infrastructure.storage.catalogue, uploads, link_of)


__all__ = [
    "DirectoryCache",
    "PictureFinder",
    "SlackInfrastructure",
    "ThumbnailUploads",
    "attach",
    "job_runner",
    "listeners",
    "presenter",
]
