"""The composition root: everything is made here, from the settings, and closed here. Nothing happens at import."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

from bot import logs
from bot.errors import SettingsError
from bot.services.add import AddService
from bot.services.databases import DatabaseService
from bot.services.delete import DeleteService
from bot.services.export import ExportService
from bot.services.importing import ImportService
from bot.services.listing import ListingService
from bot.services.lookup import LookupService
from bot.services.search import SearchService
from handlers.unavailable import SlackUnavailable

# What needs the numeric libraries or Slack's is imported where it is made: `vsearch --help` waits for neither.
if TYPE_CHECKING:
    from slack_bolt.app.async_app import AsyncApp

    from bot.adapters.base import VisualSearch
    from bot.adapters.embedded.embedding import EmbeddingModel
    from bot.config import Settings
    from bot.images.fetch import Fetcher
    from bot.images.normalise import Normaliser
    from bot.models import Picture
    from bot.storage.sql import SqlStorage
    from handlers.connection import Identity
    from handlers.guard import Guard

__all__ = ["App", "Services", "SlackUnavailable", "build", "build_services", "load_model", "serve", "threads_of"]

log = logging.getLogger(__name__)

MEGA = 1_000_000

NO_CREDENTIALS = (
    "Set {missing} (see README.md, “With your Slack”), in the environment or in .env.",
    "To try vsearch without Slack, run “make run”: it needs no account and no settings.",
)


class Overrides(TypedDict, total=False):
    """Parts that a caller brings along, such as a test's; the caller closes them."""

    storage: SqlStorage
    visual: VisualSearch


@dataclass(frozen=True, slots=True)
class Services:
    """The house without Slack: what the command line works with."""

    settings: Settings
    storage: SqlStorage
    visual: VisualSearch
    normaliser: Normaliser
    fetcher: Fetcher
    databases: DatabaseService
    adding: AddService
    importing: ImportService
    listing: ListingService
    deleting: DeleteService
    exporting: ExportService
    search: SearchService
    lookup: LookupService

    async def read_url(self, url: str) -> Picture:
        """The picture at an address that a user gave. Raises FetchRefused, PictureRefused."""
        return await self.normaliser.picture(await self.fetcher.fetch(url))


@dataclass(frozen=True, slots=True)
class App:
    """The whole house: the services, and a Bolt app that answers Slack with them."""

    services: Services
    identity: Identity
    guard: Guard
    bolt: AsyncApp


@asynccontextmanager
async def build_services(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[Services]:
    """Open storage and engine; on the way out all that was opened is closed. Raises BackendError."""
    from bot.images.fetch import Fetcher  # noqa: PLC0415
    from bot.images.normalise import Limits, Normaliser  # noqa: PLC0415
    from bot.storage.sql import SqlStorage  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        storage = overrides.get("storage")
        if storage is None:
            storage = await SqlStorage.open(settings.data_dir, settings.database_url)
            stack.push_async_callback(storage.close)
        limits = Limits(settings.max_image_mb * MEGA, settings.max_image_megapixels * MEGA)
        normaliser = Normaliser(limits, threads=threads_of(settings))
        stack.push_async_callback(normaliser.close)
        fetcher = Fetcher(
            max_bytes=limits.max_bytes, timeout_s=settings.fetch_timeout_s, trusted_hosts=settings.trusted_hosts
        )
        stack.push_async_callback(fetcher.close)
        visual = overrides.get("visual")
        if visual is None:
            visual = await stack.enter_async_context(_embedded(settings, storage))
        yield _compose(settings, storage, visual, normaliser, fetcher)


@asynccontextmanager
async def _embedded(settings: Settings, storage: SqlStorage) -> AsyncIterator[VisualSearch]:
    from bot.adapters.embedded.analyser import PictureAnalyser  # noqa: PLC0415
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415
    from bot.adapters.embedded.judge import EvidenceJudge  # noqa: PLC0415

    analyser = PictureAnalyser(await asyncio.to_thread(load_model, settings), threads_of(settings))
    try:
        memory = settings.index_memory_mb * MEGA
        yield EmbeddedSearch(storage.vectors, analyser, EvidenceJudge(), index_memory_bytes=memory)
    finally:
        await analyser.close()


def load_model(settings: Settings) -> EmbeddingModel:
    """The built-in model, or the operator's. Raises SettingsError."""
    from bot.adapters.embedded.embedding import BuiltInModel, CustomModel, CustomModelOptions  # noqa: PLC0415

    if settings.model_path is None:
        return BuiltInModel()
    return CustomModel(
        CustomModelOptions(settings.model_path, settings.model_size, settings.model_mean, settings.model_std)
    )


def _compose(
    settings: Settings, storage: SqlStorage, visual: VisualSearch, normaliser: Normaliser, fetcher: Fetcher
) -> Services:
    catalogue = storage.catalogue
    search = SearchService(visual, catalogue)
    adding = AddService(visual, storage)
    listing = ListingService(catalogue)
    return Services(
        settings=settings,
        storage=storage,
        visual=visual,
        normaliser=normaliser,
        fetcher=fetcher,
        databases=DatabaseService(visual, storage),
        adding=adding,
        importing=ImportService(catalogue, adding, normaliser, max_bytes=settings.max_image_mb * MEGA),
        listing=listing,
        deleting=DeleteService(visual, storage),
        exporting=ExportService(storage, listing),
        search=search,
        lookup=LookupService(search, catalogue),
    )


def threads_of(settings: Settings) -> int:
    """Threads for pictures, and as many for the model."""
    if settings.threads:
        return settings.threads
    # A container may be given fewer cores than the machine has; only Linux says so.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@asynccontextmanager
async def build(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[App]:
    """Everything, connected to nothing yet but Slack's ``auth.test``. Raises SlackUnavailable, BackendError."""
    from bot.images.slack_files import SlackFiles  # noqa: PLC0415
    from handlers.commands import CommandListener  # noqa: PLC0415
    from handlers.connection import bolt_app, identify, web_client  # noqa: PLC0415
    from handlers.events import ShareListener  # noqa: PLC0415
    from handlers.guard import Guard  # noqa: PLC0415
    from handlers.register import register  # noqa: PLC0415
    from handlers.shared_files import SharedFiles  # noqa: PLC0415

    client = web_client(settings.slack_bot_token or "", settings.slack_api_url)
    identity = await identify(client)
    most_bytes = settings.max_image_mb * MEGA
    slack_files = SlackFiles(
        max_bytes=most_bytes, timeout_s=settings.fetch_timeout_s, slack_api_url=settings.slack_api_url
    )
    async with build_services(settings, **overrides) as services, AsyncExitStack() as stack:
        stack.push_async_callback(slack_files.close)
        await services.storage.catalogue.adopt(identity.workspace)
        guard, bolt = Guard(), bolt_app(client, identity)
        files = SharedFiles(slack_files.download, services.normaliser.picture, most_bytes=most_bytes)
        register(
            bolt,
            guard,
            shares=ShareListener(services.lookup, files, guard),
            commands=CommandListener(services.lookup, services.read_url),
        )
        yield App(services, identity, guard, bolt)


def serve(settings: Settings) -> None:
    """Answer Slack until SIGTERM or Ctrl-C, then finish what was begun.

    Raises SettingsError when credentials are missing, SlackUnavailable when Slack refuses them or can't be reached.
    """
    names = {"SLACK_APP_TOKEN": settings.slack_app_token, "SLACK_BOT_TOKEN": settings.slack_bot_token}
    if missing := " and ".join(name for name, value in names.items() if not value):
        first, *others = NO_CREDENTIALS
        raise SettingsError((first.format(missing=missing), *others))
    logs.set_up(settings.log_format, settings.log_level)
    asyncio.run(_serve(settings, settings.slack_app_token or ""))


async def _serve(settings: Settings, app_token: str) -> None:
    from handlers.connection import socket_mode  # noqa: PLC0415

    stopped, connected = asyncio.Event(), asyncio.Event()
    this = asyncio.current_task()
    assert this is not None

    def stop() -> None:
        stopped.set()
        if not connected.is_set():
            # Nothing is under way yet, and a Slack that does not answer would keep us for a minute.
            this.cancel()

    try:
        with _when_signalled(stop):
            async with build(settings) as app, socket_mode(app.bolt, app.guard, app_token, settings.slack_api_url):
                connected.set()
                log.info("connected to %s (%s)", app.identity.team_name, app.identity.workspace)
                await stopped.wait()
                log.info("stopping: no more work is taken, what was begun is finished")
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
        log.info("stopped before Slack was reached")


@contextlib.contextmanager
def _when_signalled(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, SIGTERM and Ctrl-C call this."""
    loop = asyncio.get_running_loop()
    taken = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows has no signal handlers on the loop; Ctrl-C then ends the program at once.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
