"""What every command needs: the settings, the services opened and closed, the workspace and the database meant."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer
from dotenv import dotenv_values

from bot.app.picture_server import serve_pictures
from bot.cli.terminal.exit_codes import WorkspaceIsEmpty
from bot.config.settings import Settings
from bot.domain.catalogue import DatabaseInfo
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, WorkspaceId
from bot.services.databases import find_database
from bot.services.images.listing import ListingService
from bot.storage.ports.catalogue import Catalogue
from bot.telemetry import logs

if TYPE_CHECKING:
    from bot.app.services import Services
    from bot.services.maintenance.data_transfer import TransferService
    from bot.storage.sql_storage import SqlStorage

T = TypeVar("T")

ENV_FILE = Path(".env")


@dataclass(frozen=True, slots=True)
class StorageSession:
    """Open storage, and the workspace that the command is about: enough to list and to export."""

    storage: SqlStorage
    workspace: WorkspaceId

    @property
    def listing(self) -> ListingService:
        """What is in a database."""
        return ListingService(self.storage.catalogue)

    async def all_databases(self) -> tuple[DatabaseInfo, ...]:
        """The workspace's, by name."""
        return await self.storage.catalogue.databases(self.workspace)

    async def find(self, name: str) -> DatabaseInfo:
        """One of them. Raises InvalidInput, and UnknownDatabase (with a near name, if there is one)."""
        return await find_database(self.storage.catalogue, DatabaseKey(self.workspace, DatabaseName(name)))

    async def database(self, named: str | None) -> DatabaseKey:
        """The database that ``--in`` names, or the only one.

        Raises as ``find`` does, NoDatabase, and InvalidInput if several could be meant.
        """
        if named is not None:
            return (await self.find(named)).key
        infos = await self.all_databases()
        if not infos:
            raise WorkspaceIsEmpty
        if len(infos) > 1:
            raise InvalidInput(f"Say which database with --in: {_listed(info.key.name for info in infos)}.")
        return infos[0].key


@dataclass(frozen=True, slots=True)
class ServiceSession(StorageSession):
    """All services, open."""

    services: Services


def _listed(names: Iterable[str], most: int = 10) -> str:
    shown = list(names)
    return ", ".join(shown[:most]) + (", …" if len(shown) > most else "")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """One run of the program: its global options."""

    data_dir: Path | None = None
    workspace: str | None = None
    debug: bool = False

    def settings(self) -> Settings:
        """The settings: options before the environment, the environment before ``.env``. Raises SettingsError."""
        kept = {name: value for name, value in dotenv_values(ENV_FILE).items() if value is not None}
        settings = Settings.from_mapping({**kept, **os.environ})
        if self.data_dir is not None:
            settings = replace(settings, data_dir=self.data_dir.expanduser())
        return replace(settings, log_level="debug") if self.debug else settings

    def run_with_storage(self, work: Callable[[StorageSession], Awaitable[T]]) -> T:
        """Do work that only reads the catalogue and the pictures: no model and no index is loaded for it."""

        async def with_storage(storage: SqlStorage) -> T:
            return await work(StorageSession(storage, await self._workspace(storage.catalogue)))

        return self.run_with_storage_for_all(with_storage)

    def run_with_storage_for_all(self, work: Callable[[SqlStorage], Awaitable[T]]) -> T:
        """The same, for work that is about all workspaces."""

        async def opened(settings: Settings) -> T:
            # SQLAlchemy takes longer to load than “--help” may.
            from bot.app.storage import open_storage  # noqa: PLC0415

            storage = await open_storage(settings)
            try:
                return await work(storage)
            finally:
                await storage.close()

        return self._run(opened)

    def run_with_services(self, work: Callable[[ServiceSession], Awaitable[T]]) -> T:
        """Do work that may need all services: they are opened before it and closed after it."""

        async def with_services(services: Services) -> T:
            workspace = await self._workspace(services.storage.catalogue)
            return await work(ServiceSession(services.storage, workspace, services))

        return self.run_with_services_for_all(with_services)

    def run_with_services_for_all(self, work: Callable[[Services], Awaitable[T]]) -> T:
        """The same, for work that is about all workspaces."""

        async def opened(settings: Settings) -> T:
            from bot.app.services import build_services  # noqa: PLC0415 - as above

            async with (
                build_services(settings) as services,
                serve_pictures(settings, services.visual, services.storage),
            ):
                return await work(services)

        return self._run(opened)

    def run_transfer(self, source: str, work: Callable[[TransferService], Awaitable[T]]) -> T:
        """Do work on a move of another house to where the settings point."""

        async def opened(settings: Settings) -> T:
            from bot.app.data_transfer import open_transfer  # noqa: PLC0415 - as above

            async with open_transfer(settings, source) as service:
                return await work(service)

        return self._run(opened)

    def serve(self) -> None:
        """Be the bot until told to stop."""
        from bot.app.bot_server import serve  # noqa: PLC0415 - as above

        serve(self.settings())

    def _run(self, opened: Callable[[Settings], Coroutine[None, None, T]]) -> T:
        settings = self.settings()
        # What a command has to say it says itself; the log is for the bot, and for whoever looks for a fault.
        logs.set_up(settings.log_format, settings.log_level if self.debug else "error")
        return asyncio.run(opened(settings))

    async def _workspace(self, catalogue: Catalogue) -> WorkspaceId:
        if self.workspace is not None:
            return WorkspaceId(self.workspace)
        known = await catalogue.workspaces()
        if len(known) > 1:
            raise InvalidInput(f"Say which workspace with --workspace: {_listed(known)}.")
        return known[0] if known else LOCAL_WORKSPACE


def context_of(ctx: typer.Context) -> CommandContext:
    """The session that the global options made."""
    context = ctx.find_root().obj
    assert isinstance(context, CommandContext)
    return context
