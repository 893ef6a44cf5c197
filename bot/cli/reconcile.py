"""``vsearch reconcile``: whether the back end has what the catalogue knows, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, TypeVar

import typer

from bot.app import Services
from bot.cli.exits import ExitCode
from bot.cli.options import AsJson
from bot.cli.output import counted, remark, say, show_json, show_table
from bot.cli.progress import ProgressLine, stop_on_interrupt
from bot.cli.session import Desk, Session, session_of
from bot.models import WorkspaceId
from bot.services.comparing import Finding, LeftOut, Presence, Scope
from bot.services.mending import Mending
from bot.services.reconciling import Outcome, ReconcileService, Report

T = TypeVar("T")

app = typer.Typer()

SHOWN = 20

AGAIN = "Stopped before the end; nothing is lost. Run the same command again to go on."


@app.command(rich_help_panel="Upkeep")
def reconcile(
    ctx: typer.Context,
    database: Annotated[
        str | None, typer.Option("--in", metavar="DB", help="Only this database; all unless given.")
    ] = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Add what is missing from the stored pictures, delete what nobody knows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the catalogue with the search back end, and say what is missing on either side."""
    session = session_of(ctx)

    async def examine(service: ReconcileService, scope: Scope) -> Report:
        with ProgressLine("Comparing") as line, stop_on_interrupt() as stop:
            return await service.examine(scope, on_progress=line.update, stop=stop)

    async def make_agree(service: ReconcileService, scope: Scope) -> Outcome:
        with ProgressLine("Mending") as line, stop_on_interrupt() as stop:
            return await service.mend(scope, on_progress=line.update, stop=stop)

    if mend:
        outcome = _with_service(session, database, make_agree)
        show_outcome(outcome, as_json=as_json)
        end(interrupted=outcome.interrupted, well=outcome.complete)
    else:
        report = _with_service(session, database, examine)
        _show_report(report, as_json=as_json)
        end(interrupted=report.interrupted, well=report.agrees)


def _with_service(session: Session, database: str | None, work: Callable[[ReconcileService, Scope], Awaitable[T]]) -> T:
    async def everywhere(services: Services) -> T:
        return await work(_service(services), scope_of(session))

    async def in_one(desk: Desk) -> T:
        return await work(_service(desk.services), Scope(database=await desk.database(database)))

    return session.run_all(everywhere) if database is None else session.run(in_one)


def _service(services: Services) -> ReconcileService:
    from bot.images.normalise import decode_stored  # noqa: PLC0415 - the libraries for pictures load slowly

    return ReconcileService(services.storage, services.visual, decode_stored)


def scope_of(session: Session) -> Scope:
    """All workspaces, or the one that the command names."""
    return Scope(workspace=None if session.workspace is None else WorkspaceId(session.workspace))


def end(*, interrupted: bool, well: bool) -> None:
    """Exit with the code that fits."""
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not well:
        raise typer.Exit(ExitCode.FAILED)


def _show_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "databases": [finding_document(finding, finding.unreadable) for finding in report.findings],
                "leftovers": list(report.leftovers),
                "agree": report.agrees and not report.interrupted,
                "interrupted": report.interrupted,
            }
        )
        return
    show_findings((finding, len(finding.unreadable)) for finding in report.findings)
    for sentence in report.leftovers:
        remark(sentence, "yellow")
    _show_left_out([left_out for finding in report.findings for left_out in finding.unreadable])
    if report.interrupted:
        remark("Stopped before the end; run the same command again for all of it.", "yellow")
    elif report.agrees:
        say("The catalogue and the back end agree.")
    else:
        say("“vsearch reconcile --mend” adds what is missing, and deletes from the back end what the catalogue lacks.")


def show_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """What a mending did, as a table with a sentence, or as a document."""
    if as_json:
        show_json(outcome_document(outcome))
        return
    show_findings((mending.finding, len(mending.left_out)) for mending in outcome.mendings)
    show_remains(outcome)
    if outcome.interrupted:
        remark(AGAIN, "yellow")
    elif outcome.complete:
        say(f"{changes(outcome)} The catalogue and the back end agree.")
    else:
        say(changes(outcome))


def changes(outcome: Outcome) -> str:
    """The numbers, in a sentence."""
    added = sum(mending.added for mending in outcome.mendings)
    removed = sum(mending.removed for mending in outcome.mendings)
    cleared = f", and {counted(outcome.cleared, 'thing')} that belonged to nobody" if outcome.cleared else ""
    return f"Added {counted(added, 'image')}, deleted {removed:,}{cleared}."


def show_remains(outcome: Outcome) -> None:
    """What could not be mended, on standard error."""
    _show_left_out([left_out for mending in outcome.mendings for left_out in mending.left_out])
    if failed := sum(mending.failed for mending in outcome.mendings):
        remark(f"The back end did not take {counted(failed, 'image')} just now; run the same command again.", "red")
    if unlisted := sum(len(mending.unlisted) for mending in outcome.mendings):
        remark(
            f"The back end has {counted(unlisted, 'image')} that it does not list; “vsearch reconcile --mend” without "
            "--in and --workspace clears them away.",
            "yellow",
        )


def _show_left_out(left_out: Sequence[LeftOut]) -> None:
    for one in left_out[:SHOWN]:
        remark(f"{one.entity} ({one.data_id}): {one.reason}", "red")
    if len(left_out) > SHOWN:
        remark(f"… and {len(left_out) - SHOWN:,} more (--json lists all)", "red")


def show_findings(findings: Iterable[tuple[Finding, int]]) -> None:
    """A row for each database, with the number of its images that can't be read."""
    shown = list(findings)
    several = len({finding.key.workspace for finding, _ in shown}) > 1
    if shown:
        columns = ("Database", "In the catalogue", "In the back end", "Missing", "Orphans", "Unreadable")
        rows = [_row(finding, unreadable, several=several) for finding, unreadable in shown]
        show_table(columns, rows, right=columns[1:])


def _row(finding: Finding, unreadable: int, *, several: bool) -> tuple[str, ...]:
    key, recorded, held = finding.key, f"{finding.recorded:,}", f"{finding.held:,}"
    if finding.presence is Presence.BACK_END:
        recorded = "no such database"
    elif finding.presence is Presence.CATALOGUE:
        held = "no such database"
    elif finding.presence is Presence.LOST:
        held = "lost"
    name = f"{key.workspace}/{key.name}" if several else key.name
    numbers = (len(finding.missing), len(finding.orphans), unreadable)
    return name, recorded, held, *(f"{number:,}" for number in numbers)


def finding_document(finding: Finding, left_out: Sequence[LeftOut]) -> dict[str, object]:
    """A finding for scripts."""
    return {
        "workspace": finding.key.workspace,
        "database": finding.key.name,
        "where": finding.presence.value,
        "in_catalogue": finding.recorded,
        "in_back_end": finding.held,
        "missing": list(finding.missing),
        "orphans": list(finding.orphans),
        "unreadable": [{"data_id": one.data_id, "entity": one.entity, "error": one.reason} for one in left_out],
    }


def outcome_document(outcome: Outcome) -> dict[str, object]:
    """What was done, for scripts."""
    return {
        "databases": [_mending_document(mending) for mending in outcome.mendings],
        "cleared": outcome.cleared,
        "agree": outcome.complete,
        "interrupted": outcome.interrupted,
    }


def _mending_document(mending: Mending) -> dict[str, object]:
    return finding_document(mending.finding, mending.left_out) | {
        "added": mending.added,
        "deleted": mending.removed,
        "failed": mending.failed,
        "unlisted": list(mending.unlisted),
    }
