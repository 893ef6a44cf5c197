"""``vsearch search``: find the images that are most alike."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from bot.blocks.messages.matches import caveat_sentences
from bot.blocks.wording.results import found_in_part, text_agreement
from bot.cli.catalogue.images import document
from bot.cli.catalogue.picture_input import REGION_FORM, PictureArgument, parse_region, read_picture
from bot.cli.session import ServiceSession, context_of
from bot.cli.terminal.options import AsJson, InDatabase
from bot.cli.terminal.output import clean, counted, print_line, print_remark, show_json, show_table
from bot.domain.matches import MAX_RESULTS, Match, PictureRegion, TextAgreement, Verdict
from bot.services.search.grouping import FoundImage, RankedMatch
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM, TOP_SCORE, SearchResult

app = typer.Typer()

_STYLES = {
    Verdict.SAME: "bold green",
    Verdict.EDITED: "green",
    Verdict.SAME_ITEM: "cyan",
    Verdict.SIMILAR: "",
    Verdict.UNLIKELY: "dim",
}


@app.command(rich_help_panel="Images")
def search(
    ctx: typer.Context,
    *,
    image: Annotated[str, typer.Argument(help="A file or an http(s) address.")],
    database: InDatabase = None,
    top: Annotated[
        int, typer.Option(min=1, max=MAX_RESULTS, help="Maximum number of matches; an id is one match.")
    ] = DEFAULT_LIMIT,
    minimum: Annotated[
        float, typer.Option("--min", min=0, max=TOP_SCORE, help="Minimum score of a match, from 0 to 10.")
    ] = DEFAULT_MINIMUM,
    region: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help=f"Search only this part of the picture: {REGION_FORM}.")
    ] = None,
    no_text: Annotated[
        bool, typer.Option("--no-text", help="Don't read the text in the picture, which takes a second.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the ids of a database whose images are most like a picture, best first."""

    async def work(services_session: ServiceSession) -> SearchResult:
        key = await services_session.database(database)
        picture = await read_picture(services_session, PictureArgument(image))
        if region is not None:
            from bot.images.parts import cut  # noqa: PLC0415 - OpenCV takes 180 ms, and “--help” imports this module

            picture = cut(picture, parse_region(region, picture.source_size))
        services = services_session.services
        if not no_text:
            await services.read_query_text(key, picture)
        return await services.search.search(key, picture, limit=top, minimum=minimum)

    result = context_of(ctx).run_with_services(work)
    if as_json:
        show_json(_document(result))
    else:
        _show(result, minimum)


def _show(result: SearchResult, minimum: float) -> None:
    if result.matches:
        columns = ("", "Score", "Verdict", "Id", "Photos", "Note", "File")
        show_table(columns, [_row(ranked) for ranked in result.matches], right=("", "Score", "Photos"))
    else:
        name = f"“{result.database.key.name}”"
        print_line(f"No matches found in {name}." if result.caveats else f"No image in {name} is similar.")
    for sentence in caveat_sentences(result.caveats):
        print_remark(sentence, "yellow")
    weaker = f"; {result.weaker:,} weaker hidden (--min {minimum:g})" if result.weaker else ""
    images = counted(result.database.images, "image")
    print_remark(
        f"Searched {images} in “{result.database.key.name}” in {result.seconds * 1000:,.0f} ms{weaker}.", "dim"
    )


def _row(ranked: RankedMatch) -> tuple[str | Text, ...]:
    match = ranked.match
    return (
        str(ranked.rank),
        f"{match.score:.1f}/10",
        Text(verdict(match), style=_STYLES[match.verdict]),
        match.entity,
        str(ranked.photos),
        clean(ranked.note),
        ranked.record.source_name if ranked.record else "",
    )


def verdict(match: Match) -> str:
    """Describe a verdict with its edits, the part that matched and texts: ``edited copy: cropped, mirrored``."""
    edits = ": " + ", ".join(match.edits) if match.edits else ""
    words = match.verdict + edits + (f"; {found_in_part(match.part)}" if match.part else "")
    agreement = text_agreement(match.text)
    return f"{words} ({agreement})" if agreement else words


def _document(result: SearchResult) -> dict[str, object]:
    return {
        "database": result.database.key.name,
        "images": result.database.images,
        "seconds": round(result.seconds, 4),
        "weaker": result.weaker,
        "caveats": sorted(result.caveats),
        "matches": [
            {
                "rank": ranked.rank,
                **_image_document(FoundImage(ranked.match, ranked.record)),
                "photos": ranked.photos,
                "further_images": [_image_document(image) for image in ranked.others],
            }
            for ranked in result.matches
        ],
    }


def _image_document(image: FoundImage) -> dict[str, object]:
    match = image.match
    known = {"data_id": match.data_id, "entity": match.entity, "note": match.note}
    return {
        "score": round(match.score, 2),
        "verdict": match.verdict,
        "edits": list(match.edits),
        "part": _part_document(match.part),
        "text": _text_document(match.text),
        **(document(image.record) if image.record else known),
    }


def _part_document(part: PictureRegion | None) -> dict[str, float] | None:
    """Return the part of the query that matched, in shares of its sides; None for the whole."""
    return None if part is None else {name: round(value, 4) for name, value in asdict(part).items()}


def _text_document(text: TextAgreement | None) -> dict[str, object] | None:
    return None if text is None else {"agreeing": text.agreeing, "of": text.words, "differs": text.contradicts}
