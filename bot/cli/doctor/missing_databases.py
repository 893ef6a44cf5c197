"""Check in our own tables that the back end has every database of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.session import SharedStorage
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendError
from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.services.maintenance.missing_databases import MissingDatabases, find_missing_databases
from bot.storage.sql_storage import SqlStorage

MAX_SHOWN = 10


def missing_databases(settings: Settings, shared: SharedStorage) -> Iterator[CheckResult]:
    """Check the databases. Call it only for tables of this version, since opening older ones upgrades them."""
    try:
        databases, lacking = shared.run(partial(_find_missing, settings.backend))
    except BackendError as error:
        found = str(error).removesuffix(".")
        yield CheckResult("Databases", CheckStatus.WRONG, found, "Repair the storage first.", ExitCode.STORAGE)
        return
    if not lacking:
        yield CheckResult("Databases", CheckStatus.OK, f"the {settings.backend} back end has all {databases}")
    for one in lacking:
        names = ", ".join(one.names[:MAX_SHOWN]) + (", …" if len(one.names) > MAX_SHOWN else "")
        yield CheckResult(
            "Databases",
            CheckStatus.WRONG,
            f"the {settings.backend} back end lacks {counted(len(one.names), 'database')} of {one.workspace}: {names}",
            "If you used another back end before, set VSEARCH_BACKEND to it and run “vsearch migrate --to "
            f"{settings.backend}”. Otherwise run “vsearch reconcile --mend”, which adds their images from the stored "
            "pictures.",
        )


async def _find_missing(backend: str, storage: SqlStorage) -> tuple[int, tuple[MissingDatabases, ...]]:
    """Return the number of databases in the catalogue, and the missing ones by workspace."""
    catalogue = storage.catalogue
    databases = sum([len(await catalogue.databases(one)) for one in await catalogue.workspaces()])
    return databases, await find_missing_databases(catalogue, partial(_names, storage, backend))


async def _names(storage: SqlStorage, backend: str, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
    """Return the names that the back end would list.

    Opening it would load a model, or start pending deletions at the hosted service.
    """
    if backend == "showapi":
        return await storage.ledger.names(workspace)
    return await storage.vectors.read(lambda rows: rows.names(workspace))
