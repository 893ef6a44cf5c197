"""``vsearch explain``: why a search answers what it answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.catalogue.comparison import write_comparison
from bot.cli.catalogue.picture_input import PictureArgument, read_picture, with_name
from bot.cli.session import ServiceSession, context_of
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import counted, print_line, print_remark, show_json, show_table
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import FetchRefused, PictureRefused
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.pictures import Picture
from bot.services.search.picture_comparison import NotComparable
from bot.services.search.search_result import SearchResult
from bot.telemetry.logs import request_scope

app = typer.Typer()

_COLUMNS = ("", "Score", "Verdict", "Cosine", "Fingerprint", "Compared", "Id", "Image")


@app.command()
def explain(
    ctx: typer.Context,
    *,
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A file or an http(s) address.")],
    database: InDatabase = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write the comparison there. By default a temporary file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show why a search answers what it answers: its steps with times, its candidates with scores, a comparison."""

    async def work(session: ServiceSession) -> None:
        key = await session.database(database)
        named = PictureArgument(image)
        with request_scope() as request:
            try:
                picture = await read_picture(session, named)
            except (PictureRefused, FetchRefused) as error:
                raise type(error)(str(error) if as_json else with_name(image, str(error))) from None
            await session.services.read_query_text(key, picture)
            result = await session.services.search.search(key, picture, minimum=0)
            records = await _records(session, key, result)
            written = await _compared(session, picture, result, compare)
        if as_json:
            show_json(_document(image, request, result, records, written))
        else:
            _show(request, result, records, written)

    context_of(ctx).run_with_services(work)


async def _records(session: ServiceSession, key: DatabaseKey, result: SearchResult) -> dict[DataId, ImageRecord]:
    ids = [candidate.data_id for candidate in result.evidence.candidates]
    return dict(await session.storage.catalogue.records(key, ids)) if ids else {}


async def _compared(session: ServiceSession, picture: Picture, result: SearchResult, path: Path | None) -> Path | None:
    """Write the comparison with the best copy, and return its path; None if there is nothing to compare."""
    if not any(ranked.record and ranked.match.is_comparable for ranked in result.matches):
        return None
    # It stays, since people look at it later.
    path = path or Path(tempfile.mkdtemp(prefix="vsearch-")) / "comparison.jpg"
    try:
        await write_comparison(session, picture, result, path)
    except NotComparable:
        return None
    return path


def _show(request: str, result: SearchResult, records: dict[DataId, ImageRecord], written: Path | None) -> None:
    images = counted(result.database.images, "image")
    print_line(
        f"Request {request}: searched {images} in “{result.database.key.name}” in {result.seconds * 1000:,.0f} ms."
    )
    show_table(
        ("Step", "ms"), [(one.name, f"{one.seconds * 1000:.1f}") for one in result.evidence.stages], right=("ms",)
    )
    if not result.evidence.candidates:
        print_remark("This search back end doesn't tell how it scores its candidates.", "yellow")
    show_table(
        _COLUMNS,
        [
            (
                str(place),
                f"{one.score:.2f}",
                str(one.verdict),
                f"{one.cosine:.3f}",
                "too far" if one.fingerprint is None else f"{one.fingerprint} bits",
                "yes" if one.verified else "no",
                records[one.data_id].entity if one.data_id in records else "",
                one.data_id,
            )
            for place, one in enumerate(result.evidence.candidates, 1)
        ],
        right=("", "Score", "Cosine"),
    )
    for ranked in result.matches:
        print_line(f"Answer {ranked.rank}: {ranked.match.entity}, {ranked.match.score:.2f}, {ranked.match.verdict}")
    print_remark(f"Comparison: {written}" if written else "No match is a copy or the same item, so none is compared.")


def _document(
    image: str, request: str, result: SearchResult, records: dict[DataId, ImageRecord], written: Path | None
) -> dict[str, object]:
    return {
        "image": image,
        "request": request,
        "database": result.database.key.name,
        "images": result.database.images,
        "seconds": round(result.seconds, 4),
        "stages": [{"name": one.name, "seconds": round(one.seconds, 5)} for one in result.evidence.stages],
        "candidates": [
            {
                "data_id": one.data_id,
                "entity": records[one.data_id].entity if one.data_id in records else None,
                "cosine": round(one.cosine, 4),
                "fingerprint": one.fingerprint,
                "compared": one.verified,
                "score": round(one.score, 2),
                "verdict": one.verdict,
            }
            for one in result.evidence.candidates
        ],
        "answers": [
            {
                "rank": ranked.rank,
                "data_id": ranked.match.data_id,
                "entity": ranked.match.entity,
                "score": round(ranked.match.score, 2),
                "verdict": ranked.match.verdict,
            }
            for ranked in result.matches
        ],
        "comparison": str(written) if written else None,
    }
