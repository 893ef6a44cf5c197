"""``vsearch reindex`` and ``calibrate``: upkeep of the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bot.back_ends import load_model, threads_of
from bot.cli.exits import ExitCode
from bot.cli.options import AsJson, InDatabase
from bot.cli.output import counted, remark, say, show_json
from bot.cli.progress import ProgressLine, stop_on_interrupt
from bot.cli.session import Desk, Shelf, session_of
from bot.config import Settings
from bot.errors import InvalidInput
from bot.models import DatabaseKey, DataId, Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bot.adapters.embedded.ports import Knots
    from bot.adapters.embedded.reindex import Reindexed
    from bot.storage.vectors import SqlVectors

app = typer.Typer()

SAMPLE = 2000
"""Images that a calibration looks at: about two million pairs, which take a second."""

FEWEST_PAIRS = 4000
"""Below this the rarest likeness of unrelated pairs is anybody's guess; 90 images of as many entities have more."""

Name = Annotated[str | None, typer.Argument(metavar="[DB]", help="The same as --in.", show_default=False)]


@app.command(rich_help_panel="Upkeep")
def reindex(ctx: typer.Context, name: Name = None, database: InDatabase = None, as_json: AsJson = False) -> None:
    """Look at every stored picture again, after a change of the model. Run again, it goes on where it stopped."""
    session = session_of(ctx)
    settings = session.settings()
    if settings.backend == "showapi":
        raise InvalidInput("The “showapi” back end looks at pictures by itself; there is nothing to look at again.")

    async def work(shelf: Shelf) -> tuple[DatabaseKey, Reindexed | None]:
        key = await shelf.database(database or name)
        return key, await _reindexed(shelf, key, settings)

    key, outcome = session.browse(work)
    if outcome is None:
        if as_json:
            show_json({"database": key.name, "interrupted": True})
        remark("Stopped before the end; the old model stays in use. Run the same command again to go on.", "yellow")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if as_json:
        unreadable = list(outcome.unreadable)
        show_json({"database": key.name, "done": outcome.done, "unreadable": unreadable, "interrupted": False})
    else:
        say(f"Looked at {counted(outcome.done, 'image')} of “{key.name}”.")
    if outcome.unreadable:
        remark(
            f"{counted(len(outcome.unreadable), 'stored picture')} can't be read. The old model stays in use until "
            f"you delete those images: {', '.join(outcome.unreadable[:10])}",
            "red",
        )
        raise typer.Exit(ExitCode.FAILED)


async def _reindexed(shelf: Shelf, key: DatabaseKey, settings: Settings) -> Reindexed | None:
    """What the run did; None if it was interrupted."""
    from bot.adapters.embedded.analyser import PictureAnalyser  # noqa: PLC0415 - the model's libraries load slowly
    from bot.adapters.embedded.reindex import Reindexer  # noqa: PLC0415

    analyser = PictureAnalyser(await asyncio.to_thread(load_model, settings), threads_of(settings))
    done = 0

    async def picture_of(data_id: DataId) -> Picture:
        from bot.images.normalise import decode_stored  # noqa: PLC0415

        record = (await shelf.storage.catalogue.records(key, [data_id]))[data_id]
        return await asyncio.to_thread(decode_stored, await shelf.storage.pictures.get(record.digest))

    def seen(images: int) -> None:
        nonlocal done
        done += images
        line.update(done, total)

    try:
        store = await _store(shelf, settings)
        total = (await shelf.find(key.name)).images - await store.read(
            lambda rows: rows.count_vectors(rows.state(key).id, analyser.model_id)
        )
        with ProgressLine("Reindexing") as line, stop_on_interrupt() as stop:
            running = asyncio.create_task(Reindexer(store, analyser).reindex(key, picture_of, seen))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if running.done():
                return running.result()
            # Each handful of images is a transaction: a cancelled one is looked at again.
            running.cancel()
            await asyncio.wait({running})
            return None
    finally:
        await analyser.close()


async def _store(shelf: Shelf, settings: Settings) -> SqlVectors:
    if settings.backend != "pgvector":
        return shelf.storage.vectors
    # What PostgreSQL searches is made along with each vector.
    rows, _ = await shelf.storage.nearest()
    return rows


@app.command(rich_help_panel="Upkeep")
def calibrate(
    ctx: typer.Context,
    name: Name = None,
    database: InDatabase = None,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the scores that fit most pictures.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit the scores to a database whose pictures look alike, such as cartons of one brand."""

    async def work(desk: Desk) -> tuple[DatabaseKey, Knots | None]:
        key = await desk.database(database or name)
        return key, await _calibrated(desk, key, reset=reset)

    key, knots = session_of(ctx).run(work)
    if as_json:
        show_json({"database": key.name, "knots": knots})
    elif knots is None:
        say(f"“{key.name}” has the usual scores again.")
    else:
        related = next(cosine for cosine, score in knots if score >= 6)  # noqa: PLR2004 - “related” begins there
        say(f"Fitted the scores of “{key.name}”: 6/10 now takes a likeness of {related:.2f}.")


async def _calibrated(desk: Desk, key: DatabaseKey, *, reset: bool) -> Knots | None:
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415 - as above

    engine = desk.services.visual
    if not isinstance(engine, EmbeddedSearch):
        raise InvalidInput(f"The “{engine.capabilities.name}” back end has scores of its own; nothing to calibrate.")
    knots = None
    if not reset:
        entities, embeddings = await engine.sample(key, SAMPLE)
        knots = await asyncio.to_thread(_fitted, entities, embeddings)
    await engine.set_calibration(key, knots)
    return knots


def _fitted(entities: Sequence[str], embeddings: npt.NDArray[np.float32]) -> Knots:
    """The curve for pairs of different entities. Raises InvalidInput if there are too few."""
    import numpy as np  # noqa: PLC0415 - as above

    from bot.adapters.embedded.scoring import fit_knots  # noqa: PLC0415 - as above

    numbers = np.unique(np.array(entities, dtype=str), return_inverse=True)[1]
    first, second = np.triu_indices(len(numbers), 1)
    unrelated = numbers[first] != numbers[second]
    if int(unrelated.sum()) < FEWEST_PAIRS:
        raise InvalidInput("There are too few images to calibrate on; it takes about 90 of different entities.")
    cosines = (embeddings @ embeddings.T)[first, second][unrelated]
    return fit_knots(cosines)
