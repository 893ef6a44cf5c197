"""``vsearch import`` and ``export``: read a folder or a table into a database, and write a database to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.port import CompletingPoints
from bot.cli.session import ServiceSession, StorageSession, context_of
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import counted, print_line, print_remark, show_json
from bot.cli.terminal.progress import ProgressLine
from bot.domain.errors import BackendError, InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName
from bot.services.images.exporter import ExportReport, ExportService
from bot.services.images.import_sources import PictureFolder, PictureTable, sources_at
from bot.services.images.importer import ImportOptions
from bot.services.imports.columns import parse_columns
from bot.services.imports.report import ImportReport, expect_new_file, write_outcomes
from bot.services.maintenance.score_calibration import calibrate_if_doubled

app = typer.Typer()

_MAX_REFUSALS_SHOWN = 20
RESUME_HINT = "Run the same command again to continue."
PENDING_POINTS = (
    "{waiting} can be searched now, a little slower until their points are computed. "
    "A running bot does that by itself, and “vsearch reindex --all” does it at once."
)


@app.command("import")
def import_pictures(
    ctx: typer.Context,
    *,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder, or a CSV or XLSX of file, id and note.")],
    database: InDatabase = None,
    create: Annotated[bool, typer.Option("--create", help="Create the database if it doesn't exist.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Names of a table's columns: file=Filename,id=SKU,note=Description."),
    ] = None,
    sheet: Annotated[str | None, typer.Option(metavar="NAME", help="Sheet of an XLSX; by default, the first.")] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Change ids and notes of known images to those of the table.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what an import would do.")] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write a CSV with what became of each file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import a folder with subfolders, or the files in a table. Run it again to continue."""
    sources = sources_at(path, None if columns is None else parse_columns(columns), sheet)
    if report_file is not None:
        expect_new_file(report_file)
    if isinstance(sources, PictureTable):
        _print_remarks(sources.remarks())
    options = ImportOptions(update=update, dry_run=dry_run, keep_outcomes=report_file is not None)

    async def work(services_session: ServiceSession) -> tuple[DatabaseKey, ImportReport]:
        key, is_new = await _database(services_session, database, create=create, dry_run=dry_run)
        return key, await _run_import(services_session, key, sources, replace(options, is_new_database=is_new))

    key, report = context_of(ctx).run_with_services(work, creates=create and not dry_run)
    if report_file is not None:
        write_outcomes(report_file, report.outcomes)
    if isinstance(sources, PictureFolder):
        _print_remarks(sources.remarks())
    if dry_run and report_file is None:
        print_remark("Nothing was changed. Add --report FILE for a CSV of what would become of each file.", "dim")
    _show_report(key, report, options, as_json=as_json)


async def _run_import(
    session: ServiceSession, key: DatabaseKey, sources: PictureFolder | PictureTable, options: ImportOptions
) -> ImportReport:
    """Import with a progress line, and calibrate the database if images were added. Raises BackendError."""
    so_far = ImportReport()

    def seen(report: ImportReport) -> None:
        nonlocal so_far
        so_far = report
        line.update(report.done, report.total)

    try:
        with ProgressLine("Checking" if options.dry_run else "Importing") as line, stop_on_interrupt() as stop:
            report = await session.services.imports.run(key, sources, on_progress=seen, stop=stop, options=options)
    except BackendError:
        # bot.cli.main prints the error.
        print_remark(f"Added {counted(so_far.added, 'image')} so far. {RESUME_HINT}", "yellow")
        raise
    if report.added and not options.dry_run and await calibrate_if_doubled(session.services.visual, key):
        print_remark(f"Fitted the scores of “{key.name}” to its own pictures.", "dim")
    if report.added and not options.dry_run and (waiting := await _pending_points(session)):
        print_remark(PENDING_POINTS.format(waiting=counted(waiting, "image")), "dim")
    return report


async def _pending_points(session: ServiceSession) -> int:
    visual = session.services.visual
    return await visual.pending_points() if isinstance(visual, CompletingPoints) else 0


def _show_report(key: DatabaseKey, report: ImportReport, options: ImportOptions, *, as_json: bool) -> None:
    if as_json:
        show_json(_document(key, report, options))
    else:
        _print_report(key, report, options)
    if report.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if report.refused:
        raise typer.Exit(ExitCode.FAILED)


def _print_remarks(remarks: Sequence[str]) -> None:
    for remark in remarks:
        print_remark(remark, "yellow")


async def _database(
    services_session: ServiceSession, name: str | None, *, create: bool, dry_run: bool
) -> tuple[DatabaseKey, bool]:
    """Return the database, and whether a dry run is for one that doesn't exist yet."""
    try:
        return await services_session.database(name), False
    except UnknownDatabase as error:
        if not create or name is None:
            raise UnknownDatabase(
                error.name, error.did_you_mean, f"{error.advice} To create it, add --create."
            ) from None
    key = DatabaseKey(services_session.workspace, DatabaseName(name))
    if dry_run:
        return key, True
    return (await services_session.services.databases.create(key)).key, False


def _print_report(key: DatabaseKey, report: ImportReport, options: ImportOptions) -> None:
    for refusal in report.refused[:_MAX_REFUSALS_SHOWN]:
        line = f" (line {refusal.line:,})" if refusal.line else ""
        print_remark(f"{refusal.path}{line}: {refusal.reason}", "red")
    if len(report.refused) > _MAX_REFUSALS_SHOWN:
        print_remark(f"… and {len(report.refused) - _MAX_REFUSALS_SHOWN:,} more (--json lists all)", "red")
    changed = ("would change" if options.dry_run else "changed") if options.update else "different"
    parts = [
        f"{'Would add' if options.dry_run else 'Added'} {counted(report.added, 'image')} to “{key.name}”",
        f"{report.changed:,} {changed}" if report.changed else "",
        f"{report.skipped:,} already there" if report.skipped else "",
        f"{len(report.refused):,} refused" if report.refused else "",
    ]
    if not report.total and not report.interrupted:
        print_line(f"Found no pictures to import into “{key.name}”.")
    else:
        print_line(", ".join(filter(None, parts)) + ".")
    if report.changed and not options.update:
        differ = f"{counted(report.changed, 'image')} {'has' if report.changed == 1 else 'have'} another id or note"
        print_remark(f"{differ} than the table. To apply the table, run the command with --update.", "yellow")
    if report.interrupted:
        print_remark(f"Interrupted. Nothing is lost. {RESUME_HINT}", "yellow")


def _document(key: DatabaseKey, report: ImportReport, options: ImportOptions) -> dict[str, object]:
    updated = options.update and not options.dry_run
    return {
        "database": key.name,
        "total": report.total,
        "added": report.added,
        # What the database had already, with the same values or with others.
        "skipped": report.skipped + (0 if updated else report.changed),
        "updated": report.changed if updated else 0,
        "different": 0 if updated else report.changed,
        "refused": [
            {"file": str(refusal.path), "error": refusal.reason, **({"line": refusal.line} if refusal.line else {})}
            for refusal in report.refused
        ],
        "dry_run": options.dry_run,
        "interrupted": report.interrupted,
    }


@app.command("export")
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
