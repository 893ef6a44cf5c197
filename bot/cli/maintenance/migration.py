"""``vsearch migrate`` and ``retire``: copy data to another back end or storage, and empty a back end.

``bot.app`` is imported when a command runs, so that ``--help`` need not load the back ends (480 ms of CPU time).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.cli.maintenance.data_transfer import transfer_storage
from bot.cli.maintenance.reconciliation import (
    RESUME_HINT,
    changes,
    end,
    outcome_document,
    scope_of,
    show_failures,
    show_findings,
)
from bot.cli.session import CommandContext, context_of
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.options import AsJson, Yes, confirm
from bot.cli.terminal.output import counted, print_line, print_remark, show_json
from bot.cli.terminal.progress import ProgressLine
from bot.config.declarations import BACK_ENDS
from bot.domain.errors import InvalidInput
from bot.services.maintenance.reconciliation import BackendDatabase, ReconcileOutcome, ReconcileService

if TYPE_CHECKING:
    from bot.storage.sql_storage import SqlStorage

T = TypeVar("T")

app = typer.Typer()

NOT_DELETED = "Nothing was deleted."

EMBEDDED = "embedded"
COPYING_BACK_ENDS = frozenset({"pgvector", "milvus"})
"""These back ends search copies of the embedded engine's vectors, so all of them share its rows."""

SHARING_BACK_ENDS = COPYING_BACK_ENDS | {EMBEDDED}


def _back_end(name: str) -> str:
    if name.lower() not in BACK_ENDS:
        raise InvalidInput(f"There is no back end “{name}”. The back ends are {', '.join(BACK_ENDS)}.")
    return name.lower()


@app.command()
def migrate(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            parser=_back_end,
            metavar="|".join(BACK_ENDS),
            help="Copy all databases to this search back end, from the stored pictures.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DIR|ADDRESS",
            help="Copy all data from this data directory (or sqlite:///…, postgresql://…) to the storage in the "
            "settings.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy all data to another search back end or storage. Run it again to continue."""
    context = context_of(ctx)
    if (to is None) == (source is None):
        raise InvalidInput("Give either --to with a back end, or --from with a data directory or an address.")
    if source is not None:
        transfer_storage(context, source, as_json=as_json)
    elif to is not None:
        _move_to(context, to, as_json=as_json)


def _move_to(context: CommandContext, to: str, *, as_json: bool) -> None:
    _check_not_in_use(context, to, "Name another, or repair it with “vsearch reconcile --mend”.")

    async def work(service: ReconcileService) -> ReconcileOutcome:
        with ProgressLine("Copying") as line, stop_on_interrupt() as stop:
            return await service.repair(scope_of(context), on_progress=line.update, stop=stop)

    outcome = _with_unused_back_end(context, to, work)
    if as_json:
        show_json({"back_end": to, **outcome_document(outcome)})
    else:
        _print_report(outcome, context.settings().backend, to)
    end(interrupted=outcome.interrupted, well=outcome.complete)


def _print_report(outcome: ReconcileOutcome, before: str, to: str) -> None:
    show_findings((repair.difference, len(repair.skipped)) for repair in outcome.repairs)
    show_failures(outcome)
    if outcome.interrupted:
        print_remark(RESUME_HINT, "yellow")
        return
    print_line(changes(outcome))
    if outcome.complete:
        print_line(
            f"The {to} back end has all images. Now set VSEARCH_BACKEND={to}, restart the bot, and run “vsearch "
            f"reconcile --mend” for images added in the meantime."
        )
        if before == EMBEDDED and to in COPYING_BACK_ENDS:
            print_line(
                f"Both back ends use the same images, so there is nothing to retire. You can go back to {before}."
            )
        else:
            print_line(
                f"When everything works, delete the images of the former back end with “vsearch retire {before}”."
            )


@app.command()
def retire(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(parser=_back_end, metavar="BACKEND", help=f"One of {', '.join(BACK_ENDS)}.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete everything from a search back end that you no longer use; stored pictures stay."""
    context = context_of(ctx)
    _check_not_in_use(context, name, "You can only retire one that isn't in use.", for_deletion=True)
    used = context.settings().backend
    if {used, name} <= SHARING_BACK_ENDS:
        _retire_shared_rows(context, name, used, yes=yes, as_json=as_json)
        return

    async def count(service: ReconcileService) -> tuple[BackendDatabase, ...]:
        return await service.backend_databases()

    async def work(service: ReconcileService) -> int:
        return await service.delete_all()

    if not yes:
        databases = _with_unused_back_end(context, name, count, for_deletion=True)
        images = sum(database.images for database in databases)
        amount = f"{counted(len(databases), 'database')} with {counted(images, 'image')}"
        confirm(f"This deletes {amount} from the {name} back end. Continue?", NOT_DELETED, as_json=as_json)
    deleted = _with_unused_back_end(context, name, work, for_deletion=True)
    if as_json:
        show_json({"back_end": name, "deleted": deleted})
    else:
        print_line(f"Deleted {counted(deleted, 'database')} from the {name} back end.")


def _retire_shared_rows(context: CommandContext, name: str, used: str, *, yes: bool, as_json: bool) -> None:
    """Retire one of two back ends that share their rows: only copies of vectors can be deleted."""
    if name not in COPYING_BACK_ENDS:
        raise InvalidInput(f"The {used} back end, which is in use, needs the images of {name}, so they must stay.")
    kept = f"The {used} back end keeps all images."
    if not yes:
        question = f"This deletes the copies of vectors that {name} searches. {kept} Continue?"
        confirm(question, NOT_DELETED, as_json=as_json)

    async def drop(storage: SqlStorage) -> None:
        if name == "pgvector":
            await storage.drop_pgvector()
        else:
            from bot.app.back_ends.milvus import drop_copies  # noqa: PLC0415 - slow import

            await drop_copies(context.settings(), storage)

    context.run_with_storage_for_all(drop)
    if as_json:
        show_json({"back_end": name, "deleted": 0})
    else:
        print_line(f"Deleted the copies of vectors that {name} searches. {kept}")


def _check_not_in_use(context: CommandContext, name: str, advice: str, *, for_deletion: bool = False) -> None:
    settings = context.settings()
    if settings.backend == name:
        raise InvalidInput(f"The {name} back end is in use. {advice}")
    settings.check_back_end(name, for_deletion=for_deletion)


def _with_unused_back_end(
    context: CommandContext, name: str, work: Callable[[ReconcileService], Awaitable[T]], *, for_deletion: bool = False
) -> T:
    """Run work on a back end that isn't in use; the one in use is not opened and may be broken."""

    async def opened(storage: SqlStorage) -> T:
        from bot.app.unused_back_end import open_reconciliation  # noqa: PLC0415 - slow import

        async with open_reconciliation(name, context.settings(), storage, for_deletion=for_deletion) as service:
            return await work(service)

    return context.run_with_storage_for_all(opened)
