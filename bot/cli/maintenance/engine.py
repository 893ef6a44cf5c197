"""``vsearch reindex`` and ``calibrate``: maintain the embedded engine.

The work is imported when a command runs, so that ``--help`` need not load NumPy, OpenCV and the model's runtime
(700 ms of CPU time).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.session import CommandContext, ServiceSession, StorageSession, context_of
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import counted, print_line, print_remark, show_json
from bot.config.settings import Settings
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey

if TYPE_CHECKING:
    from bot.adapters.embedded.reindexer import ReindexResult
    from bot.cli.maintenance.reindexing import Indexed
    from bot.storage.sql_storage import SqlStorage

app = typer.Typer()

DatabaseArgument = Annotated[str | None, typer.Argument(metavar="DB", help="Same as --in.", show_default=False)]


@app.command()
def reindex(
    ctx: typer.Context,
    name: DatabaseArgument = None,
    database: InDatabase = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Reindex all databases of all workspaces, or of --workspace.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compute what stored pictures lack after a change of model or version. Run it again to continue."""
    context = context_of(ctx)
    settings = context.settings()
    if settings.backend == "showapi":
        raise InvalidInput("The “showapi” back end computes its own embeddings. There is nothing to reindex.")
    if every and (database or name):
        raise InvalidInput("Give either a database or --all.")
    outcomes = _reindex(context, None if every else database or name, settings, every=every)
    if as_json:
        documents = [_document(key, outcome) for key, outcome in outcomes]
        show_json({"databases": documents} if every else documents[0])
    else:
        _report(outcomes)
    _end(outcomes)


def _reindex(context: CommandContext, named: str | None, settings: Settings, *, every: bool) -> list[Indexed]:
    """Reindex one database or all; the last outcome is None if the run was interrupted."""
    from bot.cli.maintenance.reindexing import databases_in, reindex_databases  # noqa: PLC0415 - slow import

    async def one(storage_session: StorageSession) -> list[Indexed]:
        return await reindex_databases(storage_session.storage, [await storage_session.database(named)], settings)

    async def all_databases(storage: SqlStorage) -> list[Indexed]:
        keys = await databases_in(storage, context.workspace)
        return await reindex_databases(storage, keys, settings) if keys else []

    return context.run_with_storage_for_all(all_databases) if every else context.run_with_storage(one)


def _document(key: DatabaseKey, outcome: ReindexResult | None) -> dict[str, Any]:
    if outcome is None:
        return {"database": key.name, "interrupted": True}
    unreadable = list(outcome.unreadable)
    return {
        "database": key.name,
        "done": outcome.done,
        "unreadable": unreadable,
        "interrupted": False,
        "uncalibrated": outcome.uncalibrated,
    }


def _report(outcomes: Sequence[Indexed]) -> None:
    for key, outcome in outcomes:
        if outcome is not None:
            print_line(f"Reindexed {counted(outcome.done, 'image')} of “{key.name}”.")
        if outcome is not None and outcome.uncalibrated:
            print_line(
                f"“{key.name}” uses the default scores again. "
                f"To fit them to its pictures, run `vsearch calibrate {key.name}`."
            )
    if not outcomes:
        print_line("There is no database yet.")


def _end(outcomes: Sequence[Indexed]) -> None:
    """Print what is left to do and raise typer.Exit with the code for it."""
    unreadable = [(key, outcome.unreadable) for key, outcome in outcomes if outcome and outcome.unreadable]
    for key, images in unreadable:
        print_remark(
            f"Can't read {counted(len(images), 'stored picture')} of “{key.name}”. The old embeddings stay in use "
            f"until you delete these images: {', '.join(images[:10])}",
            "red",
        )
    if any(outcome is None for _, outcome in outcomes):
        print_remark("Interrupted. The old embeddings stay in use. Run the same command again to continue.", "yellow")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if unreadable:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def calibrate(
    ctx: typer.Context,
    name: DatabaseArgument = None,
    database: InDatabase = None,
    *,
    reset: Annotated[
        bool, typer.Option("--reset", help="Use the default scores again, until the database has doubled.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Say what would change, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit the scores to a database whose pictures all look alike, such as cartons of one brand."""
    from bot.cli.maintenance.calibration import CalibrationEffect, calibrate_database  # noqa: PLC0415 - slow import

    async def work(services_session: ServiceSession) -> tuple[DatabaseKey, CalibrationEffect]:
        key = await services_session.database(database or name)
        visual = services_session.services.visual
        return key, await calibrate_database(visual, key, reset=reset, preview=preview)

    key, effect = context_of(ctx).run_with_services(work)
    if as_json:
        effects = {name: getattr(effect, name) for name in ("images", "similar_before", "similar_after")}
        show_json({"database": key.name, "knots": effect.curve, "preview": preview, **effects})
        return
    if preview:
        print_line(f"A preview; the scores of “{key.name}” stay as they are.")
    elif reset:
        print_line(f"“{key.name}” uses the default scores again, until it has doubled.")
    else:
        print_line(
            f"Fitted the scores of “{key.name}”. A score of 6/10 now needs a similarity of {effect.related:.2f}."
        )
    verb = "would find" if preview else "find"
    print_line(
        f"Of {counted(effect.images, 'stored image')}, {effect.similar_after:,} {verb} another id that is called "
        f"similar (5/10 or more). Before, {effect.similar_before:,} did."
    )
