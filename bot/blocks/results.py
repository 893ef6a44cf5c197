"""The answer to a search, from values to blocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.blocks.ids import BlockId
from bot.blocks.limits import MESSAGE_TEXT, Block, fit, fits, shorten
from bot.blocks.matches import (
    NOTE_SHOWN,
    PLAINLY,
    Found,
    Shown,
    caveats_spoken,
    caveats_told,
    match_blocks,
    remarks,
    result_buttons,
)
from bot.blocks.records import PictureRef
from bot.blocks.reply import Reply, buttons, heading, notice, section, small_print
from bot.blocks.wording import count, one_line, person, score_text, size_of
from bot.models import Caveat

__all__ = ["MATCHES_OF_EACH", "Found", "LookedUp", "PictureRef", "Shown", "pictures_reply", "search_reply"]

BESIDE_EACH_OTHER = 3
"""Buttons in a row: a phone shows no more of them."""

MATCHES_OF_EACH = 3
"""Of each picture, when one message had several: the rest would bury the others."""


class LookedUp(Protocol):
    """One picture of several: what was found, or why it could not be looked up."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def found(self) -> Found | None: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102


def search_reply(found: Found, shown: Shown = PLAINLY) -> Reply:
    """The answer for one picture, or a page of it."""
    total, start, window = len(found.matches), 0, found.matches
    if shown.state is not None:
        start, top = max(0, shown.state.offset), max(1, shown.state.top)
        window = found.matches[start : start + top]
    groups = [match_blocks(ranked, shown.pictures) for ranked in window]

    def build(kept: int) -> list[Block]:
        end = start + kept
        elements, problem = result_buttons(
            shown,
            onward=end if end < total else None,
            back=max(0, start - shown.state.top) if shown.state and start else None,
        )
        sentences = [*remarks(found, shown), *([problem] if problem else [])]
        if not elements and end < total:
            sentences.insert(0, f"{count(total - end, 'more match', 'more matches')} did not fit.")
        return [
            section(_summary(found, start, kept), BlockId.SUMMARY),
            *_sharer(shown),
            *(block for group in groups[:kept] for block in group),
            *_small(sentences, BlockId.LEFT_OUT),
            *_rows(elements),
        ]

    return Reply(_headline(found, start) + caveats_spoken(found.caveats), fit(len(groups), build))


def pictures_reply(pictures: Sequence[LookedUp], shown: Sequence[Shown] = ()) -> Reply:
    """The one answer for a message: with a single picture that of a search, else a part for each."""
    ways = [*shown, *[PLAINLY] * (len(pictures) - len(shown))]
    if len(pictures) == 1:
        (only,) = pictures
        if only.found is None:
            return notice(only.problem)
        return search_reply(only.found, ways[0])
    of_all = _caveats_of_all(pictures)
    headlines = [f"{number}. {_spoken(picture, of_all)}" for number, picture in enumerate(pictures, start=1)]
    first = [
        section(_looked_up_in(pictures), BlockId.SUMMARY),
        *(_sharer(ways[0]) if ways else []),
        *_small(caveats_told(of_all), f"{BlockId.LEFT_OUT}_0"),
    ]
    blocks: tuple[Block, ...] = ()
    for measure in _MEASURES:
        parts = [
            _part(number, picture, way, measure, of_all)
            for number, (picture, way) in enumerate(zip(pictures, ways, strict=False), start=1)
        ]
        blocks = (*first, *(block for part in parts for block in part))
        if fits(blocks):
            break
    else:
        blocks = _as_many_as_fit(first, parts)
    text = "\n".join(headlines) + caveats_spoken(of_all)
    return Reply(shorten(text, MESSAGE_TEXT), blocks)


@dataclass(frozen=True, slots=True)
class _Measure:
    """How much of each picture's answer is shown, when one message had several."""

    matches: int
    note: int
    buttons: int
    pictures: bool = True


_MEASURES = (
    _Measure(MATCHES_OF_EACH, NOTE_SHOWN, 4),
    _Measure(2, 150, 4),
    _Measure(1, 150, 4),
    _Measure(1, 0, 4),
    _Measure(1, 0, 1),
    _Measure(1, 0, 0),
    _Measure(1, 0, 0, pictures=False),
)


def _caveats_of_all(pictures: Sequence[LookedUp]) -> frozenset[Caveat]:
    """What holds for all answers alike is told once."""
    return frozenset.intersection(*[picture.found.caveats for picture in pictures if picture.found] or [frozenset()])


def _part(number: int, picture: LookedUp, shown: Shown, measure: _Measure, told: frozenset[Caveat]) -> list[Block]:
    name = one_line(picture.name)
    title = heading(f"{number}. {name}" if name else f"Picture {number}")
    found = picture.found
    if found is None:
        return [title, *notice(picture.problem, f"{BlockId.NOTICE}_{number}").blocks]
    window = found.matches[: measure.matches]
    pictures = shown.pictures if measure.pictures else {}
    elements, problem = result_buttons(shown, onward=0 if len(window) < len(found.matches) else None)
    sentences = [*remarks(found, shown, told), *([problem] if problem else [])]
    blocks = [title, section(_summary(found, 0, len(window)))]
    for ranked in window:
        blocks += match_blocks(ranked, pictures, measure.note)
    blocks += _small(sentences, f"{BlockId.LEFT_OUT}_{number}")
    chosen = elements[: measure.buttons]
    return [*blocks, buttons(chosen, f"{BlockId.BUTTONS}_{number}")] if chosen else blocks


def _as_many_as_fit(first: list[Block], parts: list[list[Block]]) -> tuple[Block, ...]:
    def build(kept: int) -> list[Block]:
        blocks = [*first, *(block for part in parts[:kept] for block in part)]
        if kept < len(parts):
            rest = count(len(parts) - kept, "more picture")
            blocks.append(small_print(f"The answers for {rest} don't fit in one message: share fewer at once."))
        return blocks

    return fit(len(parts), build)


def _headline(found: Found, start: int = 0) -> str:
    name = found.database.key.name
    if not found.matches:
        return f"Nothing in {name} that can be shown here." if found.hidden else f"{_none(found)} in {name}."
    if start:
        return f"More matches in {name}."
    best = found.matches[0].match
    return f"Best match in {name}: {best.entity}, {score_text(best.score)}, {best.verdict}."


def _summary(found: Found, start: int, kept: int) -> str:
    where, total = size_of(found.database), len(found.matches)
    if not kept:
        return f"There are no more matches in {where}." if total else _nothing(found)
    if start:
        which = f"Match {start + 1}" if kept == 1 else f"Matches {start + 1} to {start + kept}"
        return f"*{which} of {total}* in {where}"
    best = "best" if kept == 1 else f"{kept} best"
    if kept < total:
        return f"*The {best} of {total} matches* in {where}"
    return f"*Best match* in {where}" if kept == 1 else f"*The {best} matches* in {where}"


def _spoken(picture: LookedUp, told: frozenset[Caveat]) -> str:
    if picture.found is None:
        return "Not looked up."
    return _headline(picture.found) + caveats_spoken(picture.found.caveats - told)


def _nothing(found: Found) -> str:
    where = size_of(found.database)
    if found.hidden:
        return f"There is nothing in {where} that I can show here."
    if not found.database.images and not found.weaker:
        return f"`{found.database.key.name}` holds no images yet, so there is nothing to compare this with."
    return f"{_none(found)} in {where}."


def _none(found: Found) -> str:
    """Of an answer without matches; no more is claimed than was looked for."""
    if not found.caveats:
        return "Nothing close"
    # With a high least score, copies may be among the weaker matches.
    only_copies = Caveat.SAME_IMAGES_ONLY in found.caveats and not found.weaker
    return "No copy found" if only_copies else "Nothing found"


def _looked_up_in(pictures: Sequence[LookedUp]) -> str:
    names = {
        picture.found.database.key: f"`{picture.found.database.key.name}`" for picture in pictures if picture.found
    }
    if not names:
        return f"*{count(len(pictures), 'picture')}*, none of which could be looked up"
    where = ", ".join(list(names.values())[:BESIDE_EACH_OTHER]) + (", …" if len(names) > BESIDE_EACH_OTHER else "")
    return f"*{count(len(pictures), 'picture')}* looked up in {where}"


def _sharer(shown: Shown) -> list[Block]:
    somebody = person(shown.shared_by)
    return [small_print(f"{somebody} shared this.")] if somebody else []


def _small(sentences: Sequence[str], block_id: str) -> list[Block]:
    return [small_print(" ".join(sentences), block_id)] if sentences else []


def _rows(elements: Sequence[Block]) -> list[Block]:
    first, rest = elements[:BESIDE_EACH_OTHER], elements[BESIDE_EACH_OTHER:]
    rows = [buttons(first, BlockId.BUTTONS)] if first else []
    return [*rows, buttons(rest, f"{BlockId.BUTTONS}_more")] if rest else rows
