"""Puts the listeners together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slack_bolt.app.async_app import AsyncApp

from bot.metrics import Metrics
from bot.services.collecting import CollectService, GuardService
from bot.services.forgetting import ForgetService
from bot.services.privacy import PrivacyService
from bot.services.search import SearchService
from bot.storage.base import Storage
from handlers.actions import ActionListener
from handlers.answers import Answers
from handlers.clients import Clients
from handlers.commands import CommandListener
from handlers.conversations import Acquaintance
from handlers.desk import Desk
from handlers.errand_runner import ErrandRunner
from handlers.errands import DoneHere, Errands
from handlers.finding import Finder
from handlers.forms import Forms
from handlers.guard import Guard
from handlers.home import HomeListener
from handlers.intake import Intake
from handlers.job_runner import DeleteTokens, JobRunner
from handlers.keeping import Keeper
from handlers.listeners import Listeners
from handlers.mentions import MentionListener
from handlers.presenting import LinkOf, Presenter
from handlers.register import register
from handlers.shared_files import PictureReader, SharedFiles
from handlers.shares import ShareRunner
from handlers.shortcuts import ShortcutListener
from handlers.uploads import Uploads
from handlers.views import ViewListener


@dataclass(frozen=True, slots=True)
class Tools:
    """What Slack's side is made with, besides the desk."""

    storage: Storage
    search: SearchService
    files: SharedFiles
    pictures: PictureReader
    clients: Clients
    metrics: Metrics
    guard: Guard


def attach(app: AsyncApp, listeners: Listeners, tools: Tools, wake: Callable[[], None], bot_user: str) -> None:
    """Attach every listener; ``wake`` is called when the inbox has something new."""
    intake = Intake(tools.storage.inbox, tools.storage.catalogue, wake, bot_user)
    register(app, tools.guard, intake, listeners)


def listeners(desk: Desk, tools: Tools, errands: Errands) -> Listeners:
    """All of them; ``errands``: who looks at pictures for them."""
    answers = Answers(desk)
    forms = Forms(desk, answers)
    home = HomeListener(desk, answers, tools.guard)
    commands = CommandListener(desk, answers, forms, errands, tools.metrics)
    return Listeners(
        commands=commands,
        mentions=MentionListener(commands, desk.acquaintance),
        actions=ActionListener(desk, answers, forms, home, errands=errands, metrics=tools.metrics),
        views=ViewListener(desk, answers, home, errands, tools.metrics),
        shortcuts=ShortcutListener(answers, forms, errands, tools.metrics),
        home=home,
    )


def job_runner(desk: Desk, tools: Tools, forgetting: ForgetService, delete_tokens: DeleteTokens) -> JobRunner:
    """What the inbox's worker runs."""
    storage, collecting = tools.storage, CollectService(desk.adding, tools.storage)
    keeper = Keeper(collecting, GuardService(tools.search, collecting), tools.files, tools.pictures, desk.presenter)
    shares = ShareRunner(
        clients=tools.clients,
        inbox=storage.inbox,
        watching=desk.watching,
        lookup=desk.lookup,
        files=tools.files,
        pictures=tools.pictures,
        presenter=desk.presenter,
        keeper=keeper,
        acquaintance=desk.acquaintance,
    )
    return JobRunner(
        shares=shares,
        errands=ErrandRunner(listeners(desk, tools, DoneHere()), tools.clients),
        forgetting=forgetting,
        catalogue=storage.catalogue,
        clients=tools.clients,
        uploads=desk.uploads,
        delete_tokens=delete_tokens,
    )


def presenter(tools: Tools, uploads: Uploads, acquaintance: Acquaintance, link_of: LinkOf | None) -> Presenter:
    """What makes answers that may be shown."""
    return Presenter(PrivacyService(), acquaintance, tools.storage.catalogue, uploads, link_of)


__all__ = ["Acquaintance", "Finder", "Tools", "Uploads", "attach", "job_runner", "listeners", "presenter"]
