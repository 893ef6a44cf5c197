"""``vsearch search``: find the images that are most alike."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.catalogue.comparison import write_comparison
from bot.cli.catalogue.picture_input import (
    REGION_FORM,
    PictureArgument,
    PicturesToSearch,
    parse_region,
    pictures_to_search,
    read_picture,
    with_name,
)
from bot.cli.catalogue.records import location_of
from bot.cli.catalogue.search_output import (
    SearchOutcome,
    show_documents,
    show_outcome,
    show_result,
    show_summary,
)
from bot.cli.session import ServiceSession, context_of
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import counted, print_remark
from bot.cli.terminal.progress import ProgressLine
from bot.domain.errors import FetchRefused, InvalidInput, PictureRefused
from bot.domain.identifiers import DatabaseKey
from bot.domain.matches import MAX_RESULTS
from bot.domain.pictures import Picture
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM, TOP_SCORE
from bot.services.search.search_result import SearchResult

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class _Request:
    """What to search for, and how."""

    pictures: PicturesToSearch
    top: int
    minimum: float
    region: str | None
    reads_text: bool


@app.command()
def search(
    ctx: typer.Context,
    *,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Files, folders or http(s) addresses.")],
    database: InDatabase = None,
    top: Annotated[
        int, typer.Option(metavar="N", min=1, max=MAX_RESULTS, help="Maximum number of matches; an id is one match.")
    ] = DEFAULT_LIMIT,
    minimum: Annotated[
        float, typer.Option("--min", metavar="SCORE", min=0, max=TOP_SCORE, help="Minimum score of a match.")
    ] = DEFAULT_MINIMUM,
    region: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help=f"Search only this part of the picture: {REGION_FORM}.")
    ] = None,
    no_text: Annotated[
        bool, typer.Option("--no-text", help="Don't read the text in the picture, which takes a second.")
    ] = False,
    opens: Annotated[bool, typer.Option("--open", help="Open the stored picture of the best match.")] = False,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write a JPEG that compares the picture with its best copy."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the ids of a database whose images are most like a picture, best first. A folder gets a line a picture."""
    request = _Request(pictures_to_search(images), top, minimum, region, not no_text)
    if opens and request.pictures.several:
        raise InvalidInput("--open needs one picture: it opens the best match.")
    if compare is not None and request.pictures.several:
        raise InvalidInput("--compare needs one picture: it compares that with its best copy.")

    async def work(session: ServiceSession) -> int:
        key = await session.database(database)
        if request.pictures.several:
            return await _search_several(session, key, request, as_json=as_json)
        (picture,) = request.pictures.pictures
        try:
            asked = await _asked(session, request, picture)
            result = await _search(session, key, request, asked)
        except (PictureRefused, FetchRefused) as error:
            # Programs get the reason as it is, since they know which picture it was.
            raise type(error)(str(error) if as_json else with_name(picture.text, str(error))) from None
        if as_json:
            show_documents(session.storage, [SearchOutcome(picture.text, result)], several=False)
        else:
            show_result(session.storage, result, minimum)
        if compare is not None:
            await write_comparison(session, asked, result, compare)
        return await _open_best(session, result) if opens else ExitCode.OK

    raise typer.Exit(context_of(ctx).run_with_services(work))


async def _search(session: ServiceSession, key: DatabaseKey, request: _Request, picture: Picture) -> SearchResult:
    if request.reads_text:
        await session.services.read_query_text(key, picture)
    return await session.services.search.search(key, picture, limit=request.top, minimum=request.minimum)


async def _asked(session: ServiceSession, request: _Request, named: PictureArgument) -> Picture:
    """Return the picture, or the part of it that is searched."""
    picture = await read_picture(session, named)
    if request.region is None:
        return picture
    from bot.images.parts import cut  # noqa: PLC0415 - OpenCV takes 180 ms, and “--help” imports this module

    return cut(picture, parse_region(request.region, picture.source_size))


async def _search_several(session: ServiceSession, key: DatabaseKey, request: _Request, *, as_json: bool) -> int:
    """Search with each picture and return the exit code. A refused picture doesn't stop the others."""
    outcomes: list[SearchOutcome] = []
    pictures = request.pictures.pictures
    with stop_on_interrupt() as stop, ProgressLine("Searching") if as_json else nullcontext() as line:
        for named in pictures:
            outcomes.append(await _outcome(session, key, request, named))
            if line is None:
                show_outcome(outcomes[-1])
            else:
                line.update(len(outcomes), len(pictures))
            if stop.is_set():
                break
    if as_json:
        show_documents(session.storage, outcomes, several=True)
    else:
        show_summary(key, outcomes)
    for remark in request.pictures.remarks:
        print_remark(remark, "yellow")
    if len(outcomes) < len(pictures):
        left = counted(len(pictures) - len(outcomes), "picture")
        print_remark(f"Interrupted before {left}.", "yellow")
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED if any(outcome.error for outcome in outcomes) else ExitCode.OK


async def _outcome(
    session: ServiceSession, key: DatabaseKey, request: _Request, named: PictureArgument
) -> SearchOutcome:
    try:
        return SearchOutcome(named.text, await _search(session, key, request, await _asked(session, request, named)))
    except (PictureRefused, FetchRefused, InvalidInput) as error:
        return SearchOutcome(named.text, error=str(error))


async def _open_best(session: ServiceSession, result: SearchResult) -> int:
    """Open the best match's stored picture in the desktop's viewer, and return the exit code."""
    record = next((ranked.record for ranked in result.matches if ranked.record), None)
    if record is None:
        return ExitCode.OK
    path = Path(location_of(session.storage, record))
    if not path.is_absolute():
        # In a bucket or a database. The copy stays, since the viewer reads it later.
        path = Path(tempfile.mkdtemp(prefix="vsearch-")) / f"{record.digest}.jpg"
        path.write_bytes(await session.storage.pictures.get(record.digest))
    if not path.exists():
        print_remark(f"The stored picture is missing: {path}", "red")
        return ExitCode.FAILED
    if not _has_desktop() or typer.launch(str(path)):
        print_remark(f"There is no program here to open pictures with. The picture is {path}", "yellow")
        return ExitCode.FAILED
    return ExitCode.OK


def _has_desktop() -> bool:
    """Return whether pictures can be opened. On Linux, xdg-open starts without a display too, and fails later."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
