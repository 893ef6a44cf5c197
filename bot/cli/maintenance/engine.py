"""``vsearch reindex`` and ``calibrate``: upkeep of the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.maintenance.reindexing import databases_in, reindex_databases
from bot.cli.session import CommandContext, ServiceSession, StorageSession, context_of
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import counted, print_line, print_remark, show_json
from bot.config.settings import Settings
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bot.adapters.embedded.ports import CalibrationCurve
    from bot.adapters.embedded.reindexer import ReindexResult
    from bot.cli.maintenance.reindexing import Indexed
    from bot.storage.sql_storage import SqlStorage

app = typer.Typer()

SAMPLE_SIZE = 2000
"""Images that a calibration looks at: about two million pairs, which take a second."""

MIN_PAIRS = 4000
"""Below this the rarest likeness of unrelated pairs is anybody's guess; 90 images of as many entities have more."""

DatabaseArgument = Annotated[str | None, typer.Argument(metavar="[DB]", help="The same as --in.", show_default=False)]


@app.command(rich_help_panel="Upkeep")
def reindex(
    ctx: typer.Context,
    name: DatabaseArgument = None,
    database: InDatabase = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Every database of every workspace; --workspace names one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Embed every stored picture again, after a change of the model. Run again, it goes on where it stopped."""
    context = context_of(ctx)
    settings = context.settings()
    if settings.backend == "showapi":
        raise InvalidInput("The “showapi” back end makes its own embeddings; there is nothing to reindex.")
    if every and (database or name):
        raise InvalidInput("Name one database, or give --all.")
    outcomes = _reindex(context, None if every else database or name, settings, every=every)
    if as_json:
        documents = [_document(key, outcome) for key, outcome in outcomes]
        show_json({"databases": documents} if every else documents[0])
    else:
        _report(outcomes)
    _end(outcomes)


def _reindex(context: CommandContext, named: str | None, settings: Settings, *, every: bool) -> list[Indexed]:
    """What was done to each database, in order; the last outcome is None if the run was interrupted."""

    async def one(storage_session: StorageSession) -> list[Indexed]:
        return await reindex_databases(storage_session.storage, [await storage_session.database(named)], settings)

    async def all_of_them(storage: SqlStorage) -> list[Indexed]:
        keys = await databases_in(storage, context.workspace)
        return await reindex_databases(storage, keys, settings) if keys else []

    return context.run_with_storage_for_all(all_of_them) if every else context.run_with_storage(one)


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
                f"“{key.name}” has the usual scores again. "
                f"To fit them to its pictures, run `vsearch calibrate {key.name}`."
            )
    if not outcomes:
        print_line("There are no databases yet.")


def _end(outcomes: Sequence[Indexed]) -> None:
    """Say what is left to do, and end with the code for it."""
    unreadable = [(key, outcome.unreadable) for key, outcome in outcomes if outcome and outcome.unreadable]
    for key, images in unreadable:
        print_remark(
            f"{counted(len(images), 'stored picture')} of “{key.name}” can't be read. The old embeddings stay in use "
            f"until you delete those images: {', '.join(images[:10])}",
            "red",
        )
    if any(outcome is None for _, outcome in outcomes):
        print_remark(
            "Stopped before the end; the old embeddings stay in use. Run the same command again to go on.", "yellow"
        )
        raise typer.Exit(ExitCode.INTERRUPTED)
    if unreadable:
        raise typer.Exit(ExitCode.FAILED)


@app.command(rich_help_panel="Upkeep")
def calibrate(
    ctx: typer.Context,
    name: DatabaseArgument = None,
    database: InDatabase = None,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the scores that fit most pictures.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit the scores to a database whose pictures look alike, such as cartons of one brand."""

    async def work(services_session: ServiceSession) -> tuple[DatabaseKey, CalibrationCurve | None]:
        key = await services_session.database(database or name)
        return key, await _calibrate(services_session, key, reset=reset)

    key, knots = context_of(ctx).run_with_services(work)
    if as_json:
        show_json({"database": key.name, "knots": knots})
    elif knots is None:
        print_line(f"“{key.name}” has the usual scores again.")
    else:
        related = next(cosine for cosine, score in knots if score >= 6)  # noqa: PLR2004 - “related” begins there
        print_line(f"Fitted the scores of “{key.name}”: 6/10 now takes a likeness of {related:.2f}.")


async def _calibrate(services_session: ServiceSession, key: DatabaseKey, *, reset: bool) -> CalibrationCurve | None:
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415 - as above

    engine = services_session.services.visual
    if not isinstance(engine, EmbeddedSearch):
        raise InvalidInput(f"The “{engine.capabilities.name}” back end has scores of its own; nothing to calibrate.")
    knots = None
    if not reset:
        entities, embeddings = await engine.sample(key, SAMPLE_SIZE)
        knots = await asyncio.to_thread(_fit, entities, embeddings)
    await engine.set_calibration(key, knots)
    return knots


def _fit(entities: Sequence[str], embeddings: npt.NDArray[np.float32]) -> CalibrationCurve:
    """The curve for pairs of different entities. Raises InvalidInput if there are too few."""
    import numpy as np  # noqa: PLC0415 - as above

    from bot.adapters.embedded.scoring import fit_calibration  # noqa: PLC0415 - as above

    numbers = np.unique(np.array(entities, dtype=str), return_inverse=True)[1]
    first, second = np.triu_indices(len(numbers), 1)
    unrelated = numbers[first] != numbers[second]
    if int(unrelated.sum()) < MIN_PAIRS:
        raise InvalidInput("There are too few images to calibrate on; it takes about 90 of different entities.")
    cosines = (embeddings @ embeddings.T)[first, second][unrelated]
    return fit_calibration(cosines)
