"""Builds the Slack listeners, and registers them with Bolt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot.app.slack.dependencies import SlackInfrastructure
from bot.storage.ports.storage import Storage
from handlers.inbox.deferred_requests import DeferredRequests, InlineRequests, RequestDeferral
from handlers.inbox.middleware import InboxMiddleware
from handlers.inbox.waiting_notices import WaitingNotices
from handlers.jobs.queued_questions import QueuedQuestions
from handlers.listeners.actions.listener import ActionListener
from handlers.listeners.actions.reports import ReportActionListener
from handlers.listeners.app_home import HomeListener
from handlers.listeners.commands import CommandListener
from handlers.listeners.links import LinkListener
from handlers.listeners.listener_set import Listeners
from handlers.listeners.mentions import MentionListener
from handlers.listeners.shortcuts import ShortcutListener
from handlers.listeners.views import ViewListener
from handlers.modals.forms import ModalOpener
from handlers.moderation.report_actions import ReportButtons
from handlers.moderation.report_composer import ReportComposer
from handlers.moderation.report_editor import ReportEditor
from handlers.register import register
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies


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
    long_requests = DeferredRequests(storage.inbox)
    stack.push_async_callback(long_requests.close)
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
    built = build_listeners(dependencies, infrastructure, deferral, long_requests)
    register(app, infrastructure.wrapper, middleware, built)


def build_listeners(
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
        links=LinkListener(dependencies, dependencies.entity_pages),
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
