"""``vsearch import`` and ``export``: read a folder into a database, and write a database to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.session import ServiceSession, StorageSession, context_of
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import counted, print_line, print_remark, show_json
from bot.cli.terminal.progress import ProgressLine, stop_on_interrupt
from bot.domain.errors import BackendError, InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName
from bot.services.images.exporter import ExportReport, ExportService
from bot.services.images.import_sources import sources_at
from bot.services.images.importer import ImportReport
from bot.services.maintenance.score_calibration import calibrate_database

app = typer.Typer()

_MAX_REFUSALS_SHOWN = 20
RESUME_HINT = "Run the same command again to continue."


@app.command("import", rich_help_panel="Import and export")
def import_pictures(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder, or a CSV of file, id and note.")],
    database: InDatabase = None,
    create: Annotated[bool, typer.Option("--create", help="Create the database if it doesn't exist.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import a folder with subfolders, or the files in a CSV. Run it again to continue."""
    sources = sources_at(path)

    async def work(services_session: ServiceSession) -> tuple[DatabaseKey, ImportReport]:
        key = await _database(services_session, database, create=create)
        so_far = ImportReport()

        def seen(report: ImportReport) -> None:
            nonlocal so_far
            so_far = report
            line.update(report.done, report.total)

        try:
            with ProgressLine("Importing") as line, stop_on_interrupt() as stop:
                report = await services_session.services.imports.run(key, sources, on_progress=seen, stop=stop)
        except BackendError:
            # bot.cli.main prints the error.
            print_remark(f"Added {counted(so_far.added, 'image')} so far. {RESUME_HINT}", "yellow")
            raise
        if report.added and await calibrate_database(services_session.services.visual, key):
            print_remark(f"Fitted the scores of “{key.name}” to its own pictures.", "dim")
        return key, report

    key, report = context_of(ctx).run_with_services(work)
    if as_json:
        show_json(_document(key, report))
    else:
        _print_report(key, report)
    if report.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if report.refused:
        raise typer.Exit(ExitCode.FAILED)


async def _database(services_session: ServiceSession, name: str | None, *, create: bool) -> DatabaseKey:
    try:
        return await services_session.database(name)
    except UnknownDatabase as error:
        if not create or name is None:
            raise UnknownDatabase(error.name, error.did_you_mean, " To create it, add --create.") from None
    key = DatabaseKey(services_session.workspace, DatabaseName(name))
    return (await services_session.services.databases.create(key)).key


def _print_report(key: DatabaseKey, report: ImportReport) -> None:
    for refusal in report.refused[:_MAX_REFUSALS_SHOWN]:
        print_remark(f"{refusal.path}: {refusal.reason}", "red")
    if len(report.refused) > _MAX_REFUSALS_SHOWN:
        print_remark(f"… and {len(report.refused) - _MAX_REFUSALS_SHOWN:,} more (--json lists all)", "red")
    skipped = f", {report.skipped:,} already there" if report.skipped else ""
    refused = f", {len(report.refused):,} refused" if report.refused else ""
    print_line(f"Added {counted(report.added, 'image')} to “{key.name}”{skipped}{refused}.")
    if report.interrupted:
        print_remark(f"Interrupted. Nothing is lost. {RESUME_HINT}", "yellow")


def _document(key: DatabaseKey, report: ImportReport) -> dict[str, object]:
    return {
        "database": key.name,
        "total": report.total,
        "added": report.added,
        "skipped": report.skipped,
        "refused": [{"file": str(refusal.path), "error": refusal.reason} for refusal in report.refused],
        "interrupted": report.interrupted,
    }


@app.command("export", rich_help_panel="Import and export")
def export_pictures(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="A folder, created if it doesn't exist.")],
    database: InDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Export the pictures of a database and a CSV of file, id and note, which “import” can read."""
    if directory.exists() and not directory.is_dir():
        raise InvalidInput(f"{directory} is a file. Name a folder.")

    async def work(storage_session: StorageSession) -> tuple[DatabaseKey, ExportReport]:
        key = await storage_session.database(database)
        with ProgressLine("Exporting") as line, stop_on_interrupt() as stop:
            return key, await ExportService(storage_session.storage, storage_session.listings).run(
                key,
                directory,
                on_progress=lambda report: line.update(report.written + report.missing, report.total),
                stop=stop,
            )

    key, report = context_of(ctx).run_with_storage(work)
    if as_json:
        fields = ("written", "missing", "interrupted")
        show_json({"database": key.name, "table": str(report.table)} | {name: getattr(report, name) for name in fields})
    elif report.interrupted:
        print_remark("Interrupted. Run the same command again for a complete export.", "yellow")
    else:
        print_line(f"Exported {counted(report.written, 'image')} of “{key.name}” and {report.table}.")
    if report.missing and not as_json:
        print_remark(f"Left out {counted(report.missing, 'stored picture')} that can't be found.", "red")
    if report.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if report.missing:
        raise typer.Exit(ExitCode.FAILED)
