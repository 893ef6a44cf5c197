"""``vsearch reconcile``: compare catalogue and back end, and repair the differences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.cli.session import CommandContext, ServiceSession, context_of
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson
from bot.cli.terminal.output import counted, print_line, print_remark, show_json, show_table
from bot.cli.terminal.progress import ProgressLine
from bot.domain.identifiers import WorkspaceId
from bot.services.maintenance.comparison import DatabaseDifference, DatabaseLocation, Scope, SkippedImage
from bot.services.maintenance.reconciliation import ReconcileOutcome, ReconcileReport, ReconcileService
from bot.services.maintenance.repair import RepairResult

if TYPE_CHECKING:
    from bot.app.services import Services

T = TypeVar("T")

app = typer.Typer()

MAX_SHOWN = 20

RESUME_HINT = "Interrupted. Nothing is lost. Run the same command again to continue."


@app.command()
def reconcile(
    ctx: typer.Context,
    database: Annotated[
        str | None, typer.Option("--in", metavar="DB", help="Name of the database; by default, all databases.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--mend", help="Add missing images from the stored pictures and delete orphans.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the catalogue with the search back end and list the differences."""
    context = context_of(ctx)

    async def compare(service: ReconcileService, scope: Scope) -> ReconcileReport:
        with ProgressLine("Comparing") as line, stop_on_interrupt() as stop:
            return await service.compare(scope, on_progress=line.update, stop=stop)

    async def repair_all(service: ReconcileService, scope: Scope) -> ReconcileOutcome:
        with ProgressLine("Repairing") as line, stop_on_interrupt() as stop:
            return await service.repair(scope, on_progress=line.update, stop=stop)

    if repair:
        outcome = _with_service(context, database, repair_all)
        show_outcome(outcome, as_json=as_json)
        end(interrupted=outcome.interrupted, well=outcome.complete)
    else:
        report = _with_service(context, database, compare)
        _show_report(report, as_json=as_json)
        end(interrupted=report.interrupted, well=report.agrees)


def _with_service(
    context: CommandContext, database: str | None, work: Callable[[ReconcileService, Scope], Awaitable[T]]
) -> T:
    async def everywhere(services: Services) -> T:
        return await work(services.reconciliation, scope_of(context))

    async def in_one(services_session: ServiceSession) -> T:
        scope = Scope(database=await services_session.database(database))
        return await work(services_session.services.reconciliation, scope)

    return context.run_with_services_for_all(everywhere) if database is None else context.run_with_services(in_one)


def scope_of(context: CommandContext) -> Scope:
    """Return the scope of the command: all workspaces, or the one that ``--workspace`` names."""
    return Scope(workspace=None if context.workspace is None else WorkspaceId(context.workspace))


def end(*, interrupted: bool, well: bool) -> None:
    """Raise typer.Exit with the fitting code, unless the command succeeded."""
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not well:
        raise typer.Exit(ExitCode.FAILED)


def _show_report(report: ReconcileReport, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "databases": [finding_document(finding, finding.unreadable) for finding in report.differences],
                "leftovers": list(report.orphans),
                "agree": report.agrees and not report.interrupted,
                "interrupted": report.interrupted,
            }
        )
        return
    show_findings((finding, len(finding.unreadable)) for finding in report.differences)
    for sentence in report.orphans:
        print_remark(sentence, "yellow")
    _show_left_out([left_out for finding in report.differences for left_out in finding.unreadable])
    if report.interrupted:
        print_remark("Interrupted. Run the same command again for a full comparison.", "yellow")
    elif report.agrees:
        print_line("The catalogue and the back end agree.")
    else:
        print_line("Run “vsearch reconcile --mend” to add the missing images and delete the orphans from the back end.")


def show_outcome(outcome: ReconcileOutcome, *, as_json: bool) -> None:
    """Print what a repair did, as a table and a sentence or as JSON."""
    if as_json:
        show_json(outcome_document(outcome))
        return
    show_findings((repair.difference, len(repair.skipped)) for repair in outcome.repairs)
    show_failures(outcome)
    if outcome.interrupted:
        print_remark(RESUME_HINT, "yellow")
    elif outcome.complete:
        print_line(f"{changes(outcome)} The catalogue and the back end agree.")
    else:
        print_line(changes(outcome))


def changes(outcome: ReconcileOutcome) -> str:
    """Return a sentence with the numbers of added and deleted images."""
    added = sum(repair.added for repair in outcome.repairs)
    removed = sum(repair.removed for repair in outcome.repairs)
    cleared = f" Deleted {counted(outcome.orphans_deleted, 'other orphan')} as well." if outcome.orphans_deleted else ""
    return f"Added {counted(added, 'image')}, deleted {removed:,}.{cleared}"


def show_failures(outcome: ReconcileOutcome) -> None:
    """Print on standard error what a repair could not fix."""
    _show_left_out([left_out for repair in outcome.repairs for left_out in repair.skipped])
    if failed := sum(repair.failed for repair in outcome.repairs):
        print_remark(f"The back end failed to add {counted(failed, 'image')}. Run the same command again.", "red")
    if unlisted := sum(len(repair.unlisted) for repair in outcome.repairs):
        print_remark(
            f"The back end has {counted(unlisted, 'image')} that it doesn't list. Run “vsearch reconcile --mend” "
            "without --in and --workspace to delete them.",
            "yellow",
        )


def _show_left_out(left_out: Sequence[SkippedImage]) -> None:
    for one in left_out[:MAX_SHOWN]:
        print_remark(f"{one.entity} ({one.data_id}): {one.reason}", "red")
    if len(left_out) > MAX_SHOWN:
        print_remark(f"… and {len(left_out) - MAX_SHOWN:,} more (--json lists all)", "red")


def show_findings(findings: Iterable[tuple[DatabaseDifference, int]]) -> None:
    """Print a row for each database, given its difference and its number of unreadable images."""
    shown = list(findings)
    several = len({finding.key.workspace for finding, _ in shown}) > 1
    if shown:
        columns = ("Database", "In the catalogue", "In the back end", "Missing", "Orphans", "Unreadable")
        rows = [_row(finding, unreadable, several=several) for finding, unreadable in shown]
        show_table(columns, rows, right=columns[1:])


def _row(finding: DatabaseDifference, unreadable: int, *, several: bool) -> tuple[str, ...]:
    key, recorded, held = finding.key, f"{finding.recorded:,}", f"{finding.held:,}"
    if finding.location is DatabaseLocation.BACK_END:
        recorded = "no such database"
    elif finding.location is DatabaseLocation.CATALOGUE:
        held = "no such database"
    elif finding.location is DatabaseLocation.LOST:
        held = "lost"
    name = f"{key.workspace}/{key.name}" if several else key.name
    numbers = (len(finding.missing), len(finding.orphans), unreadable)
    return name, recorded, held, *(f"{number:,}" for number in numbers)


def finding_document(finding: DatabaseDifference, left_out: Sequence[SkippedImage]) -> dict[str, object]:
    """Return the JSON document of a database's difference."""
    return {
        "workspace": finding.key.workspace,
        "database": finding.key.name,
        "where": finding.location.value,
        "in_catalogue": finding.recorded,
        "in_back_end": finding.held,
        "missing": list(finding.missing),
        "orphans": list(finding.orphans),
        "unreadable": [{"data_id": one.data_id, "entity": one.entity, "error": one.reason} for one in left_out],
    }


def outcome_document(outcome: ReconcileOutcome) -> dict[str, object]:
    """Return the JSON document of a repair."""
    return {
        "databases": [_repair_document(repair) for repair in outcome.repairs],
        "cleared": outcome.orphans_deleted,
        "agree": outcome.complete,
        "interrupted": outcome.interrupted,
    }


def _repair_document(repair: RepairResult) -> dict[str, object]:
    return finding_document(repair.difference, repair.skipped) | {
        "added": repair.added,
        "deleted": repair.removed,
        "failed": repair.failed,
        "unlisted": list(repair.unlisted),
    }
