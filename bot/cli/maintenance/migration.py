"""``vsearch migrate`` and ``retire``: to another back end or storage, and away from the back end before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.app.back_ends.registry import open_unused, share_rows
from bot.app.picture_server import serve_pictures
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
from bot.cli.terminal.exit_codes import NotConfirmed
from bot.cli.terminal.options import AsJson, Yes, ask
from bot.cli.terminal.output import counted, print_line, print_remark, show_json
from bot.cli.terminal.progress import ProgressLine, stop_on_interrupt
from bot.config.declarations import BACK_ENDS
from bot.domain.errors import InvalidInput
from bot.services.maintenance.reconciliation import BackendDatabase, ReconcileOutcome, ReconcileService

if TYPE_CHECKING:
    from bot.storage.sql_storage import SqlStorage

T = TypeVar("T")

app = typer.Typer()

SHARED_ROWS_BACK_END = "pgvector"
"""Searches copies of the vectors that the embedded engine has."""


def _back_end(name: str) -> str:
    if name.lower() not in BACK_ENDS:
        raise typer.BadParameter(f"There is no back end “{name}”; there are {', '.join(BACK_ENDS)}")
    return name.lower()


@app.command(rich_help_panel="Upkeep")
def migrate(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            parser=_back_end,
            metavar="|".join(BACK_ENDS),
            help="Bring all databases to another search back end, as in VSEARCH_BACKEND, from the stored pictures.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DIR|ADDRESS",
            help="Bring everything from a former data directory (or sqlite:///…, postgresql://…) to where the settings "
            "point now.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move: to another search back end, or from other storage. Run again, it goes on."""
    context = context_of(ctx)
    if (to is None) == (source is None):
        raise InvalidInput("Say either --to and a back end, or --from and where everything is now.")
    if source is not None:
        transfer_storage(context, source, as_json=as_json)
    elif to is not None:
        _move_to(context, to, as_json=as_json)


def _move_to(context: CommandContext, to: str, *, as_json: bool) -> None:
    _check_not_in_use(context, to, "name another, or mend it with “vsearch reconcile --mend”")

    async def work(service: ReconcileService) -> ReconcileOutcome:
        with ProgressLine("Moving") as line, stop_on_interrupt() as stop:
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
            f"The {to} back end has it all. Now set VSEARCH_BACKEND={to}, restart the bot, and run “vsearch reconcile "
            f"--mend” for what came meanwhile."
        )
        if share_rows(before, to) and to == SHARED_ROWS_BACK_END:
            print_line(
                f"The two have their images in common; there is nothing to retire, and you can go back to {before}."
            )
        else:
            print_line(f"When all is well, “vsearch retire {before}” deletes what the other has.")


@app.command(rich_help_panel="Upkeep")
def retire(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(parser=_back_end, metavar="|".join(BACK_ENDS))],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete everything from a search back end that isn't used any more. The stored pictures stay."""
    context = context_of(ctx)
    _check_not_in_use(context, name, "only one that isn't used can be retired", for_deletion=True)
    used = context.settings().backend
    if share_rows(used, name):
        _retire_shared_rows(context, name, used, yes=yes, as_json=as_json)
        return

    async def look(service: ReconcileService) -> tuple[BackendDatabase, ...]:
        return await service.backend_databases()

    async def work(service: ReconcileService) -> int:
        return await service.delete_all()

    if not yes:
        holdings = _with_unused_back_end(context, name, look, for_deletion=True)
        images = sum(holding.images for holding in holdings)
        amount = f"{counted(len(holdings), 'database')} with {counted(images, 'image')}"
        _confirm(f"This deletes {amount} from the {name} back end.", as_json=as_json)
    databases = _with_unused_back_end(context, name, work, for_deletion=True)
    if as_json:
        show_json({"back_end": name, "deleted": databases})
    else:
        print_line(f"Deleted {counted(databases, 'database')} from the {name} back end.")


def _retire_shared_rows(context: CommandContext, name: str, used: str, *, yes: bool, as_json: bool) -> None:
    """Of two back ends on the same rows, one has copies that can go; the rows themselves are the other's as well."""
    if name != SHARED_ROWS_BACK_END:
        raise InvalidInput(f"The {used} back end, which is in use, searches the images of {name}; they have to stay.")
    kept = f"the {used} back end keeps all images"
    if not yes:
        _confirm(f"This deletes the copies of vectors that {name} searches; {kept}.", as_json=as_json)

    async def drop(storage: SqlStorage) -> None:
        await storage.drop_pgvector()

    context.run_with_storage_for_all(drop)
    if as_json:
        show_json({"back_end": name, "deleted": 0})
    else:
        print_line(f"Deleted the copies of vectors that {name} searches; {kept}.")


def _confirm(what: str, *, as_json: bool) -> None:
    if ask(f"{what} Go on? [y/N]", as_json=as_json).lower() not in {"y", "yes"}:
        raise NotConfirmed("Nothing was deleted.")


def _check_not_in_use(context: CommandContext, name: str, advice: str, *, for_deletion: bool = False) -> None:
    settings = context.settings()
    if settings.backend == name:
        raise InvalidInput(f"The {name} back end is the one in use; {advice}.")
    settings.check_back_end(name, for_deletion=for_deletion)


def _with_unused_back_end(
    context: CommandContext, name: str, work: Callable[[ReconcileService], Awaitable[T]], *, for_deletion: bool = False
) -> T:
    """Do work on a back end that isn't in use. That which is need not even be well."""

    async def opened(storage: SqlStorage) -> T:
        from bot.images.decode.normaliser import decode_stored  # noqa: PLC0415 - the libraries for pictures load slowly

        settings = context.settings()
        async with AsyncExitStack() as stack:
            visual = await stack.enter_async_context(open_unused(name, settings, storage, for_deletion=for_deletion))
            if not for_deletion:
                await stack.enter_async_context(serve_pictures(settings, visual, storage))
            return await work(ReconcileService(storage, visual, decode_stored))

    return context.run_with_storage_for_all(opened)
