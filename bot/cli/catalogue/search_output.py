"""The results of ``vsearch search``: for people on a terminal, for programs in a pipe, and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from bot.blocks.mrkdwn import cut_score
from bot.blocks.wording.results import caveat_sentences, found_in_part, text_agreement
from bot.cli.catalogue.images import document
from bot.cli.catalogue.picture_input import with_name
from bot.cli.catalogue.records import details, location_of, show_indented, shown_location, size
from bot.cli.terminal.output import (
    clean,
    counted,
    is_terminal,
    print_line,
    print_remark,
    print_text,
    show_json,
    show_table,
    when,
)
from bot.domain.identifiers import DatabaseKey
from bot.domain.matches import Caveat, Match, PictureRegion, TextAgreement, Verdict
from bot.services.search.grouping import FoundImage, RankedMatch
from bot.services.search.search_result import SearchResult

if TYPE_CHECKING:
    from bot.storage.sql_storage import SqlStorage

_STYLES = {
    Verdict.SAME: "bold green",
    Verdict.EDITED: "green",
    Verdict.SAME_ITEM: "cyan",
    Verdict.SIMILAR: "",
    Verdict.UNLIKELY: "dim",
}
_COLUMNS = ("", "Score", "Verdict", "Id", "Photos", "Note", "File", "Size", "Added", "Image", "Picture")
_INDENT = 4


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What became of one picture: ``result``, or ``error`` if it was refused."""

    image: str
    result: SearchResult | None = None
    error: str = ""


def show_result(storage: SqlStorage, result: SearchResult, minimum: float) -> None:
    """Print the matches of one picture."""
    if result.matches and is_terminal():
        for ranked in result.matches:
            _show_entry(storage, ranked)
    elif result.matches:
        show_table(_COLUMNS, [_row(storage, ranked) for ranked in result.matches], right=("", "Score", "Photos"))
    else:
        print_line(_nothing_found(result))
    _show_caveats(result.caveats)
    weaker = f"; {counted(result.weaker, 'weaker match', 'weaker matches')} hidden" if result.weaker else ""
    shown_from = f" (--min {minimum:g})" if result.weaker else ""
    images = counted(result.database.images, "image")
    milliseconds = f"{result.seconds * 1000:,.0f} ms"
    print_remark(f"Searched {images} in “{result.database.key.name}” in {milliseconds}{weaker}{shown_from}.", "dim")


def _nothing_found(result: SearchResult) -> str:
    name = f"“{result.database.key.name}”"
    if not result.database.images:
        return f"{name} has no images yet. Add pictures with “vsearch import FOLDER --in {result.database.key.name}”."
    return f"No matches found in {name}." if result.caveats else f"No image in {name} is similar."


def _show_caveats(caveats: Collection[Caveat]) -> None:
    for sentence in caveat_sentences(caveats):
        print_remark(sentence, "yellow")


def _show_entry(storage: SqlStorage, ranked: RankedMatch) -> None:
    """Print a match in a few lines, which fit narrow terminals."""
    record, location = ranked.record, location_of(storage, ranked.record)
    match = ranked.match
    photos = f"  ({counted(ranked.photos, 'photo')})" if ranked.photos > 1 else ""
    head = (f"{ranked.rank:>2}  {_score(match)}  ", _verdict(match), f"  {clean(match.entity)}", (photos, "dim"))
    print_text(Text.assemble(*head))
    show_indented((ranked.note, details(record, location) if record else "", shown_location(location)), _INDENT)


def _row(storage: SqlStorage, ranked: RankedMatch) -> tuple[str | Text, ...]:
    match, record = ranked.match, ranked.record
    stored = ("", "", "", match.data_id, "")
    if record:
        added, location = when(record.added_at), location_of(storage, record)
        stored = (record.source_name, size(record), added, record.data_id, location)
    found = (_points(match), _verdict(match), match.entity, str(ranked.photos), clean(ranked.note))
    return (str(ranked.rank), *found, *stored)


def _score(match: Match) -> str:
    return _points(match).rjust(len("10.0/10"))


def _points(match: Match) -> str:
    """Return ``9.8/10`` or ``9.0/10``, so that scores stand below each other."""
    return f"{cut_score(match.score):.1f}/10"


def _verdict(match: Match) -> Text:
    """Describe a verdict with its edits, the part that matched and texts: ``edited copy: cropped, mirrored``."""
    edits = ": " + ", ".join(match.edits) if match.edits else ""
    words = match.verdict + edits + (f"; {found_in_part(match.part)}" if match.part else "")
    agreement = text_agreement(match.text)
    return Text(f"{words} ({agreement})" if agreement else words, _STYLES[match.verdict])


def show_outcome(outcome: SearchOutcome) -> None:
    """Print a line for one of several pictures: its best match, and how many more there are."""
    if outcome.result is None:
        print_remark(with_name(outcome.image, outcome.error), "red")
    elif not outcome.result.matches:
        print_text(Text(f"{'–':>7}  nothing similar  ←  {clean(outcome.image)}", "dim"))
    else:
        best, *further = outcome.result.matches
        more = f" and {len(further):,} more" if further else ""
        found = f"  {clean(best.match.entity)}{more}  ←  {clean(outcome.image)}"
        print_text(Text.assemble(f"{_score(best.match)}  ", _verdict(best.match), found))


def show_summary(key: DatabaseKey, outcomes: Sequence[SearchOutcome]) -> None:
    """Print what became of several pictures. Found are copies and same items, as in Slack."""
    results = [outcome.result for outcome in outcomes if outcome.result]
    verdicts = [result.matches[0].match.verdict for result in results if result.matches]
    found = sum(verdict.is_same_thing for verdict in verdicts)
    similar, refused = verdicts.count(Verdict.SIMILAR), len(outcomes) - len(results)
    rest = (f", {similar:,} similar" if similar else "") + (f", {refused:,} refused" if refused else "")
    print_line(f"Found {found:,} of {counted(len(outcomes), 'picture')} in “{key.name}”{rest}.")
    _show_caveats(frozenset[Caveat]().union(*(result.caveats for result in results)))


def show_documents(storage: SqlStorage, outcomes: Sequence[SearchOutcome], *, several: bool) -> None:
    """Print a JSON document for one picture, or for several pictures an array of documents."""
    documents = [
        {"image": outcome.image, "error": outcome.error}
        if outcome.result is None
        else {"image": outcome.image, **_document(storage, outcome.result)}
        for outcome in outcomes
    ]
    show_json(documents if several else documents[0])


def _document(storage: SqlStorage, result: SearchResult) -> dict[str, object]:
    return {
        "database": result.database.key.name,
        "images": result.database.images,
        "seconds": round(result.seconds, 4),
        "weaker": result.weaker,
        "caveats": sorted(result.caveats),
        "matches": [
            {
                "rank": ranked.rank,
                **_image_document(storage, FoundImage(ranked.match, ranked.record)),
                "photos": ranked.photos,
                "further_images": [_image_document(storage, image) for image in ranked.others],
            }
            for ranked in result.matches
        ],
    }


def _image_document(storage: SqlStorage, image: FoundImage) -> dict[str, object]:
    match = image.match
    known = {"data_id": match.data_id, "entity": match.entity, "note": match.note}
    return {
        "score": round(match.score, 2),
        "verdict": match.verdict,
        "edits": list(match.edits),
        "part": _part_document(match.part),
        "text": _text_document(match.text),
        **(document(image.record, location_of(storage, image.record)) if image.record else known),
    }


def _part_document(part: PictureRegion | None) -> dict[str, float] | None:
    """Return the part of the query that matched, in shares of its sides; None for the whole."""
    return None if part is None else {name: round(value, 4) for name, value in asdict(part).items()}


def _text_document(text: TextAgreement | None) -> dict[str, object] | None:
    return None if text is None else {"agreeing": text.agreeing, "of": text.words, "differs": text.contradicts}
