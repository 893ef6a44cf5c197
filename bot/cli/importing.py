"""``vsearch import`` and ``export``: whole folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.exits import ExitCode
from bot.cli.options import AsJson, InDatabase
from bot.cli.output import counted, remark, say, show_json
from bot.cli.progress import ProgressLine, stop_on_interrupt
from bot.cli.session import Desk, Shelf, session_of
from bot.errors import BackendError, InvalidInput, UnknownDatabase
from bot.models import DatabaseKey, DatabaseName
from bot.services.export import ExportReport, ExportService
from bot.services.importing import ImportReport
from bot.services.sources import sources_of

app = typer.Typer()

_SHOWN_REFUSALS = 20
AGAIN = "Run the same command again to go on."


@app.command("import", rich_help_panel="Whole folders")
def import_pictures(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A folder, or a CSV file of file, entity, note.")],
    database: InDatabase = None,
    create: Annotated[bool, typer.Option("--create", help="Make the database if it is not there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import a folder with its subfolders, or the files that a CSV names. Run again, it goes on where it stopped."""
    sources = sources_of(path)

    async def work(desk: Desk) -> tuple[DatabaseKey, ImportReport]:
        key = await _database(desk, database, create=create)
        so_far = ImportReport()

        def seen(report: ImportReport) -> None:
            nonlocal so_far
            so_far = report
            line.update(report.done, report.total)

        try:
            with ProgressLine("Importing") as line, stop_on_interrupt() as stop:
                return key, await desk.services.importing.run(key, sources, on_progress=seen, stop=stop)
        except BackendError:
            # What is wrong is said by whoever ends the program.
            remark(f"Added {counted(so_far.added, 'image')} so far. {AGAIN}", "yellow")
            raise

    key, report = session_of(ctx).run(work)
    if as_json:
        show_json(_document(key, report))
    else:
        _tell(key, report)
    if report.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if report.refused:
        raise typer.Exit(ExitCode.FAILED)


async def _database(desk: Desk, named: str | None, *, create: bool) -> DatabaseKey:
    try:
        return await desk.database(named)
    except UnknownDatabase as error:
        if not create or named is None:
            raise UnknownDatabase(error.name, error.did_you_mean, " With --create, it is made.") from None
    return (await desk.services.databases.create(DatabaseKey(desk.workspace, DatabaseName(named)))).key


def _tell(key: DatabaseKey, report: ImportReport) -> None:
    for refusal in report.refused[:_SHOWN_REFUSALS]:
        remark(f"{refusal.path}: {refusal.reason}", "red")
    if len(report.refused) > _SHOWN_REFUSALS:
        remark(f"… and {len(report.refused) - _SHOWN_REFUSALS:,} more (--json lists all)", "red")
    there = f", {report.skipped:,} there already" if report.skipped else ""
    refused = f", {len(report.refused):,} refused" if report.refused else ""
    say(f"Added {counted(report.added, 'image')} to “{key.name}”{there}{refused}.")
    if report.interrupted:
        remark(f"Stopped before the end; nothing is lost. {AGAIN}", "yellow")


def _document(key: DatabaseKey, report: ImportReport) -> dict[str, object]:
    return {
        "database": key.name,
        "total": report.total,
        "added": report.added,
        "skipped": report.skipped,
        "refused": [{"file": str(refusal.path), "error": refusal.reason} for refusal in report.refused],
        "interrupted": report.interrupted,
    }


@app.command("export", rich_help_panel="Whole folders")
def export_pictures(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(help="A folder; made if it is not there.")],
    database: InDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Write a database's pictures and a CSV of file, entity, note, which “import” reads again."""
    if directory.exists() and not directory.is_dir():
        raise InvalidInput(f"{directory} is a file; name a folder.")

    async def work(shelf: Shelf) -> tuple[DatabaseKey, ExportReport]:
        key = await shelf.database(database)
        with ProgressLine("Exporting") as line, stop_on_interrupt() as stop:
            return key, await ExportService(shelf.storage, shelf.listing).run(
                key,
                directory,
                on_progress=lambda report: line.update(report.written + report.missing, report.total),
                stop=stop,
            )

    key, report = session_of(ctx).browse(work)
    if as_json:
        fields = ("written", "missing", "interrupted")
        show_json({"database": key.name, "table": str(report.table)} | {name: getattr(report, name) for name in fields})
    elif report.interrupted:
        remark("Stopped before the end; run the same command again for a whole export.", "yellow")
    else:
        say(f"Wrote {counted(report.written, 'image')} of “{key.name}” and {report.table}.")
    if report.missing and not as_json:
        remark(f"{counted(report.missing, 'stored picture')} could not be found and were left out.", "red")
    if report.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if report.missing:
        raise typer.Exit(ExitCode.FAILED)
