"""``vsearch search``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from bot.blocks.matches import caveats_told
from bot.cli.images import document
from bot.cli.options import AsJson, InDatabase
from bot.cli.output import clean, counted, remark, say, show_json, show_table
from bot.cli.reading import Named, read_picture
from bot.cli.session import Desk, session_of
from bot.models import MAX_RESULTS, Match, Verdict
from bot.services.search import DEFAULT_LIMIT, DEFAULT_MINIMUM, TOP_SCORE, RankedMatch, SearchResult

app = typer.Typer()

_STYLES = {Verdict.SAME: "bold green", Verdict.EDITED: "green", Verdict.SIMILAR: ""}


@app.command(rich_help_panel="Images")
def search(
    ctx: typer.Context,
    *,
    image: Annotated[str, typer.Argument(help="A file, or an http(s) address.")],
    database: InDatabase = None,
    top: Annotated[int, typer.Option(min=1, max=MAX_RESULTS, help="How many matches at most.")] = DEFAULT_LIMIT,
    least: Annotated[
        float, typer.Option("--min", min=0, max=TOP_SCORE, help="Least score that is shown, from 0 to 10.")
    ] = DEFAULT_MINIMUM,
    as_json: AsJson = False,
) -> None:
    """Find what a picture is: the most alike images of a database, best first."""

    async def work(desk: Desk) -> SearchResult:
        key = await desk.database(database)
        picture = await read_picture(desk, Named(image))
        return await desk.services.search.search(key, picture, limit=top, minimum=least)

    result = session_of(ctx).run(work)
    if as_json:
        show_json(_document(result))
    else:
        _show(result, least)


def _show(result: SearchResult, least: float) -> None:
    if result.matches:
        columns = ("", "Score", "Verdict", "Entity", "Note", "File")
        show_table(columns, [_row(ranked) for ranked in result.matches], right=("", "Score"))
    else:
        name = f"“{result.database.key.name}”"
        say(f"Nothing was found in {name}." if result.caveats else f"Nothing in {name} is close.")
    for sentence in caveats_told(result.caveats):
        remark(sentence, "yellow")
    weaker = f"; {result.weaker:,} weaker left out (--min {least:g})" if result.weaker else ""
    images = counted(result.database.images, "image")
    remark(f"Searched {images} in “{result.database.key.name}” in {result.seconds * 1000:,.0f} ms{weaker}.", "dim")


def _row(ranked: RankedMatch) -> tuple[str | Text, ...]:
    match = ranked.match
    return (
        str(ranked.rank),
        f"{match.score:.1f}/10",
        Text(verdict(match), style=_STYLES[match.verdict]),
        match.entity,
        clean(match.note),
        ranked.record.source_name if ranked.record else "",
    )


def verdict(match: Match) -> str:
    """``edited copy: cropped, mirrored``."""
    return match.verdict + (": " + ", ".join(match.edits) if match.edits else "")


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
                "score": round(ranked.match.score, 2),
                "verdict": ranked.match.verdict,
                "edits": list(ranked.match.edits),
                **(document(ranked.record) if ranked.record else _bare(ranked.match)),
            }
            for ranked in result.matches
        ],
    }


def _bare(match: Match) -> dict[str, object]:
    return {"data_id": match.data_id, "entity": match.entity, "note": match.note}
