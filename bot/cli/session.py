"""The session of a command: opens and closes services, finds the workspace and the database.

``bot.app`` is imported when a command needs it, so that ``--help`` need not load SQLAlchemy (300 ms of CPU time),
the services (610 ms) or Bolt (1,000 ms).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from bot.cli import data_location as location
from bot.cli.context import GlobalOptions, listed, options_of
from bot.cli.terminal.cancellation import cancelled_by_interrupt
from bot.cli.terminal.errors import WorkspaceIsEmpty
from bot.cli.terminal.interrupts import is_json_wanted
from bot.cli.terminal.output import print_remark
from bot.config.settings import Settings
from bot.config.validation import database_file, missing_credentials, unusable_model
from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import BackendError, InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.services.databases import find_database
from bot.services.images.listing import ListingService
from bot.storage.ports.catalogue import Catalogue
from bot.telemetry import logs

if TYPE_CHECKING:
    from bot.app.services import Services
    from bot.services.maintenance.data_transfer import TransferService
    from bot.storage.sql_storage import SqlStorage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StorageSession:
    """Open storage and the command's workspace; enough to list and export."""

    storage: SqlStorage
    workspace: WorkspaceId

    @property
    def listings(self) -> ListingService:
        """Listing of the images of a database."""
        return ListingService(self.storage.catalogue)

    async def all_databases(self) -> tuple[DatabaseInfo, ...]:
        """Return all databases of the workspace, ordered by name."""
        return await self.storage.catalogue.databases(self.workspace)

    async def find(self, name: str) -> DatabaseInfo:
        """Return a database of the workspace.

        Raises InvalidInput, and UnknownDatabase with a similar name and those that there are.
        """
        return await find_or_list(self.storage.catalogue, DatabaseKey(self.workspace, DatabaseName(name)))

    async def database(self, name: str | None) -> DatabaseKey:
        """Return the database that ``--in`` names, or the only one.

        Raises the errors of ``find``, WorkspaceIsEmpty if there is no database, and InvalidInput if there are several.
        """
        if name is not None:
            return (await self.find(name)).key
        infos = await self.all_databases()
        if not infos:
            raise WorkspaceIsEmpty
        if len(infos) > 1:
            raise InvalidInput(f"Name a database with --in: {listed(info.key.name for info in infos)}.")
        return infos[0].key


@dataclass(frozen=True, slots=True)
class ServiceSession(StorageSession):
    """Open storage with all services."""

    services: Services


async def find_or_list(catalogue: Catalogue, key: DatabaseKey) -> DatabaseInfo:
    """Return a database. Raises UnknownDatabase with a similar name, and those that there are in its workspace."""
    try:
        return await find_database(catalogue, key)
    except UnknownDatabase as error:
        names = [info.key.name for info in await catalogue.databases(key.workspace)]
        others = [name for name in names if name != error.did_you_mean]
        advice = f" Databases: {listed(names)}." if others else ""
        raise UnknownDatabase(error.name, error.did_you_mean, advice) from None


@dataclass(frozen=True, slots=True)
class CommandContext(GlobalOptions):
    """One run of a command: opens what it needs, with the global options."""

    def run_with_storage(self, work: Callable[[StorageSession], Awaitable[T]]) -> T:
        """Run work that needs only catalogue and pictures; loads no model and no index. It creates no data."""

        async def opened(settings: Settings) -> T:
            async with _open_storage(settings) as storage:
                return await work(StorageSession(storage, await self._workspace(settings, storage.catalogue)))

        return self._run(opened)

    def run_with_storage_for_all(self, work: Callable[[SqlStorage], Awaitable[T]]) -> T:
        """Run work that needs only catalogue and pictures, for all workspaces."""

        async def opened(settings: Settings) -> T:
            async with _open_storage(settings) as storage:
                return await work(storage)

        return self._run(opened)

    def run_with_services(self, work: Callable[[ServiceSession], Awaitable[T]], *, creates: bool = False) -> T:
        """Open all services, run work with them and close them. If it ``creates`` data, it may make a directory."""

        async def with_services(services: Services) -> T:
            workspace = await self._workspace(services.settings, services.storage.catalogue)
            return await work(ServiceSession(services.storage, workspace, services))

        return self.run_with_services_for_all(with_services, creates=creates)

    def run_with_services_for_all(self, work: Callable[[Services], Awaitable[T]], *, creates: bool = False) -> T:
        """Open all services, run work for all workspaces and close them."""

        async def opened(settings: Settings) -> T:
            from bot.app.picture_server import serve_pictures  # noqa: PLC0415 - slow import
            from bot.app.services import build_services  # noqa: PLC0415 - slow import

            async with (
                build_services(settings) as services,
                serve_pictures(settings, services.visual, services.storage),
            ):
                return await work(services)

        return self._run(opened, creates=creates)

    def run_transfer(self, source: str, work: Callable[[TransferService], Awaitable[T]]) -> T:
        """Run work that transfers all data from ``source`` to the storage in the settings."""

        async def opened(settings: Settings) -> T:
            from bot.app.transfer.data_transfer import open_transfer  # noqa: PLC0415 - slow import

            async with open_transfer(settings, source) as service:
                return await work(service)

        return self._run(opened, opens=False, creates=True)

    def run_with_settings(self, work: Callable[[Settings], Coroutine[None, None, T]], *, creates: bool = False) -> T:
        """Run work that opens for itself what it needs."""
        return self._run(work, opens=False, creates=creates)

    def serve(self) -> None:
        """Run the bot until SIGTERM or Ctrl-C."""
        from bot.app.bot_server import serve  # noqa: PLC0415 - slow import

        serve(self.settings(missing_credentials, unusable_model, creates=True), self.unknown_settings())

    def _run(
        self, opened: Callable[[Settings], Coroutine[None, None, T]], *, opens: bool = True, creates: bool = False
    ) -> T:
        settings = self.settings(creates=creates)
        # Commands print their own messages. The log is for the bot and for --debug.
        logs.set_up(settings.log_format, settings.log_level if self.debug else "error")
        with ExitStack() as stack:
            file = database_file(settings)
            if opens and not creates and file is not None and not file.exists():
                settings = self._without_data(settings, file, stack)
            return asyncio.run(cancelled_by_interrupt(opened(settings)))

    def _without_data(self, settings: Settings, file: Path, stack: ExitStack) -> Settings:
        """Say where the data was looked for, and return settings for an empty directory that goes with the command."""
        looked = " and ".join(location.searched(self.data_dir, file))
        if not is_json_wanted():
            remark = f"Found no vsearch data in {looked}. --data-dir or VSEARCH_DATA_DIR names another directory."
            print_remark(remark, "yellow")
        empty = stack.enter_context(tempfile.TemporaryDirectory(prefix="vsearch-"))
        return replace(settings, data_dir=Path(empty), database_url=None)

    async def _workspace(self, settings: Settings, catalogue: Catalogue) -> WorkspaceId:
        if self.workspace is not None:
            return WorkspaceId(self.workspace)
        return self.choose_workspace(settings, await catalogue.workspaces())


class SharedStorage:
    """The storage of the settings, opened at most once for several pieces of work. Close it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runner = asyncio.Runner()
        self._storage: SqlStorage | None = None
        self._error: BackendError | None = None

    def run(self, work: Callable[[SqlStorage], Coroutine[None, None, T]]) -> T:
        """Run work on the storage. Raises BackendError, the same each time if the storage can't be opened."""
        if self._storage is None:
            from bot.app.storage import open_storage  # noqa: PLC0415 - slow import

            if self._error is not None:
                raise self._error
            try:
                self._storage = self._runner.run(open_storage(self._settings))
            except BackendError as error:
                self._error = error
                raise
        return self._runner.run(work(self._storage))

    def close(self) -> None:
        """Close the storage if it was opened."""
        if self._storage is not None:
            self._runner.run(self._storage.close())
        self._runner.close()


@asynccontextmanager
async def _open_storage(settings: Settings) -> AsyncIterator[SqlStorage]:
    from bot.app.storage import open_storage  # noqa: PLC0415 - slow import

    storage = await open_storage(settings)
    try:
        yield storage
    finally:
        await storage.close()


def context_of(ctx: typer.Context) -> CommandContext:
    """Return the context of this run."""
    options = options_of(ctx)
    return CommandContext(options.data_dir, options.workspace, debug=options.debug)
