"""``vsearch find`` and ``read-text``: find images by words, and read the text in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.catalogue.images import document
from bot.cli.catalogue.records import SHORT
from bot.cli.session import ServiceSession, context_of
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import clean, counted, is_terminal, print_line, print_remark, show_json, show_table
from bot.cli.terminal.progress import ProgressLine
from bot.domain.errors import SettingsError
from bot.domain.matches import MAX_RESULTS
from bot.domain.texts import TextCounts

if TYPE_CHECKING:
    from bot.app.services import Services
    from bot.services.text.find import FindResult

app = typer.Typer()

NOT_READ = "Text in pictures is not read here. Set VSEARCH_READ_TEXT=on, and install the package rapidocr."


@app.command()
def find(
    ctx: typer.Context,
    *,
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS", help="Words of the id, note, file name, or text in the picture.")
    ],
    database: InDatabase = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, max=MAX_RESULTS, help="Maximum number of images.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the images of a database by words, those with most of them first."""

    async def work(session: ServiceSession) -> tuple[FindResult, TextCounts]:
        key = await session.database(database)
        found = await session.services.find.find([key], " ".join(words), limit=top)
        return found, await session.services.text_reading.counts()

    result, counts = context_of(ctx).run_with_services(work)
    if as_json:
        show_json(_document(result))
        return
    name = result.databases[0].key.name
    if result.matches:
        in_full = not is_terminal()
        rows = [
            (
                f"{one.agreeing}/{one.words}",
                one.record.entity,
                clean(" · ".join(part.text for part in one.passages)),
                one.record.data_id if in_full else one.record.data_id[-SHORT:],
            )
            for one in result.matches
        ]
        show_table(("Words", "Id", "Found in", "Image"), rows, right=("Words",))
    else:
        print_line(f"No image in “{name}” has these words.")
    if counts.waiting:
        print_remark(f"The text of {counted(counts.waiting, 'picture')} isn't read yet.", "yellow")


def _document(result: FindResult) -> dict[str, object]:
    return {
        "database": result.databases[0].key.name,
        "matches": [
            {
                "words": {"agreeing": one.agreeing, "of": one.words},
                "lines": [part.text for part in one.passages if part.source == "picture"],
                "found_in": [{"source": part.source, "text": part.text} for part in one.passages],
                **document(one.record),
            }
            for one in result.matches
        ],
    }


@app.command("read-text")
def read_text(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Read the text of all stored pictures now, instead of in the background. Run it again to continue."""
    counts, finished = context_of(ctx).run_with_services_for_all(_read_all)
    if as_json:
        read = {"images": counts.images, "read": counts.read, "unreadable": counts.unreadable}
        show_json({**read, "waiting": counts.waiting})
    else:
        unreadable = f"; {counts.unreadable:,} can't be read" if counts.unreadable else ""
        print_line(f"Read the text of {counts.read:,} of {counted(counts.images, 'picture')}{unreadable}.")
    if not finished:
        raise typer.Exit(ExitCode.INTERRUPTED)


async def _read_all(services: Services) -> tuple[TextCounts, bool]:
    """Return how far the reading is, and whether it was not interrupted."""
    if not services.text_reader.is_available:
        raise SettingsError((NOT_READ,))
    reading = services.text_reading
    done, total = 0, (await reading.counts()).waiting
    with ProgressLine("Reading text") as line, stop_on_interrupt() as stop:
        while not stop.is_set() and await reading.read_next():
            done += 1
            line.update(done, max(total, done))
    return await reading.counts(), not stop.is_set()
