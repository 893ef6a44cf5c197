"""The answer to a search, from values to blocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.blocks.ids import BlockId
from bot.blocks.limits import MESSAGE_TEXT, Block, fit, fits, shorten
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.matches import (
    DEFAULT_PRESENTATION,
    MAX_NOTE_SHOWN,
    PresentationOptions,
    SearchAnswer,
    caveat_sentences,
    caveats_in_short,
    match_blocks,
    remarks,
    result_buttons,
)
from bot.blocks.reply import Reply, buttons, context_block, heading, notice, section
from bot.blocks.wording import count, database_size, one_line, score_text, user_mention
from bot.domain.matches import Caveat

__all__ = [
    "MATCHES_PER_PICTURE",
    "PictureAnswer",
    "PictureRef",
    "PresentationOptions",
    "SearchAnswer",
    "pictures_reply",
    "search_reply",
]

BUTTONS_PER_ROW = 3
"""Buttons in a row: a phone shows no more of them."""

MATCHES_PER_PICTURE = 3
"""Of each picture, when one message had several: the rest would bury the others."""


class PictureAnswer(Protocol):
    """One picture of several: what was found, or why it could not be looked up."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def found(self) -> SearchAnswer | None: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102


def search_reply(found: SearchAnswer, options: PresentationOptions = DEFAULT_PRESENTATION) -> Reply:
    """The answer for one picture, or a page of it."""
    total, start, window = len(found.matches), 0, found.matches
    if options.state is not None:
        start, top = max(0, options.state.offset), max(1, options.state.top)
        window = found.matches[start : start + top]
    groups = [match_blocks(ranked, options.pictures) for ranked in window]

    def build(kept: int) -> list[Block]:
        end = start + kept
        elements, problem = result_buttons(
            options,
            onward=end if end < total else None,
            back=max(0, start - options.state.top) if options.state and start else None,
        )
        sentences = [*remarks(found, options), *([problem] if problem else [])]
        if not elements and end < total:
            sentences.insert(0, f"{count(total - end, 'more match', 'more matches')} did not fit.")
        return [
            section(_summary(found, start, kept), BlockId.SUMMARY),
            *_shared_by(options),
            *(block for group in groups[:kept] for block in group),
            *_context_blocks(sentences, BlockId.LEFT_OUT),
            *_rows(elements),
        ]

    return Reply(_headline(found, start) + caveats_in_short(found.caveats), fit(len(groups), build))


def pictures_reply(pictures: Sequence[PictureAnswer], options: Sequence[PresentationOptions] = ()) -> Reply:
    """The one answer for a message: with a single picture that of a search, else a part for each."""
    ways = [*options, *[DEFAULT_PRESENTATION] * (len(pictures) - len(options))]
    if len(pictures) == 1:
        (only,) = pictures
        if only.found is None:
            return notice(only.problem)
        return search_reply(only.found, ways[0])
    of_all = _common_caveats(pictures)
    headlines = [f"{number}. {_fallback_text(picture, of_all)}" for number, picture in enumerate(pictures, start=1)]
    first = [
        section(_looked_up_in(pictures), BlockId.SUMMARY),
        *(_shared_by(ways[0]) if ways else []),
        *_context_blocks(caveat_sentences(of_all), f"{BlockId.LEFT_OUT}_0"),
    ]
    blocks: tuple[Block, ...] = ()
    for measure in _DETAIL_LEVELS:
        parts = [
            _part(number, picture, way, measure, of_all)
            for number, (picture, way) in enumerate(zip(pictures, ways, strict=False), start=1)
        ]
        blocks = (*first, *(block for part in parts for block in part))
        if fits(blocks):
            break
    else:
        blocks = _as_many_as_fit(first, parts)
    text = "\n".join(headlines) + caveats_in_short(of_all)
    return Reply(shorten(text, MESSAGE_TEXT), blocks)


@dataclass(frozen=True, slots=True)
class _DetailLevel:
    """How much of each picture's answer is shown, when one message had several."""

    matches: int
    note: int
    buttons: int
    pictures: bool = True


_DETAIL_LEVELS = (
    _DetailLevel(MATCHES_PER_PICTURE, MAX_NOTE_SHOWN, 4),
    _DetailLevel(2, 150, 4),
    _DetailLevel(1, 150, 4),
    _DetailLevel(1, 0, 4),
    _DetailLevel(1, 0, 1),
    _DetailLevel(1, 0, 0),
    _DetailLevel(1, 0, 0, pictures=False),
)


def _common_caveats(pictures: Sequence[PictureAnswer]) -> frozenset[Caveat]:
    """What holds for all answers alike is told once."""
    return frozenset.intersection(*[picture.found.caveats for picture in pictures if picture.found] or [frozenset()])


def _part(
    number: int,
    picture: PictureAnswer,
    options: PresentationOptions,
    level: _DetailLevel,
    already_said: frozenset[Caveat],
) -> list[Block]:
    name = one_line(picture.name)
    title = heading(f"{number}. {name}" if name else f"Picture {number}")
    found = picture.found
    if found is None:
        return [title, *notice(picture.problem, f"{BlockId.NOTICE}_{number}").blocks]
    window = found.matches[: level.matches]
    pictures = options.pictures if level.pictures else {}
    elements, problem = result_buttons(options, onward=0 if len(window) < len(found.matches) else None)
    sentences = [*remarks(found, options, already_said), *([problem] if problem else [])]
    blocks = [title, section(_summary(found, 0, len(window)))]
    for ranked in window:
        blocks += match_blocks(ranked, pictures, level.note)
    blocks += _context_blocks(sentences, f"{BlockId.LEFT_OUT}_{number}")
    chosen = elements[: level.buttons]
    return [*blocks, buttons(chosen, f"{BlockId.BUTTONS}_{number}")] if chosen else blocks


def _as_many_as_fit(first: list[Block], parts: list[list[Block]]) -> tuple[Block, ...]:
    def build(kept: int) -> list[Block]:
        blocks = [*first, *(block for part in parts[:kept] for block in part)]
        if kept < len(parts):
            rest = count(len(parts) - kept, "more picture")
            blocks.append(context_block(f"The answers for {rest} don't fit in one message: share fewer at once."))
        return blocks

    return fit(len(parts), build)


def _headline(found: SearchAnswer, start: int = 0) -> str:
    name = found.database.key.name
    if not found.matches:
        return f"Nothing in {name} that can be shown here." if found.hidden else f"{_no_matches(found)} in {name}."
    if start:
        return f"More matches in {name}."
    best = found.matches[0].match
    return f"Best match in {name}: {best.entity}, {score_text(best.score)}, {best.verdict}."


def _summary(found: SearchAnswer, start: int, kept: int) -> str:
    where, total = database_size(found.database), len(found.matches)
    if not kept:
        return f"There are no more matches in {where}." if total else _nothing_close(found)
    if start:
        which = f"Match {start + 1}" if kept == 1 else f"Matches {start + 1} to {start + kept}"
        return f"*{which} of {total}* in {where}"
    best = "best" if kept == 1 else f"{kept} best"
    if kept < total:
        return f"*The {best} of {total} matches* in {where}"
    return f"*Best match* in {where}" if kept == 1 else f"*The {best} matches* in {where}"


def _fallback_text(picture: PictureAnswer, already_said: frozenset[Caveat]) -> str:
    if picture.found is None:
        return "Not looked up."
    return _headline(picture.found) + caveats_in_short(picture.found.caveats - already_said)


def _nothing_close(found: SearchAnswer) -> str:
    where = database_size(found.database)
    if found.hidden:
        return f"There is nothing in {where} that I can show here."
    if not found.database.images and not found.weaker:
        return f"`{found.database.key.name}` holds no images yet, so there is nothing to compare this with."
    return f"{_no_matches(found)} in {where}."


def _no_matches(found: SearchAnswer) -> str:
    """Of an answer without matches; no more is claimed than was looked for."""
    if not found.caveats:
        return "Nothing close"
    # With a high least score, copies may be among the weaker matches.
    only_copies = Caveat.SAME_IMAGES_ONLY in found.caveats and not found.weaker
    return "No copy found" if only_copies else "Nothing found"


def _looked_up_in(pictures: Sequence[PictureAnswer]) -> str:
    names = {
        picture.found.database.key: f"`{picture.found.database.key.name}`" for picture in pictures if picture.found
    }
    if not names:
        return f"*{count(len(pictures), 'picture')}*, none of which could be looked up"
    where = ", ".join(list(names.values())[:BUTTONS_PER_ROW]) + (", …" if len(names) > BUTTONS_PER_ROW else "")
    return f"*{count(len(pictures), 'picture')}* looked up in {where}"


def _shared_by(options: PresentationOptions) -> list[Block]:
    somebody = user_mention(options.shared_by)
    return [context_block(f"{somebody} shared this.")] if somebody else []


def _context_blocks(sentences: Sequence[str], block_id: str) -> list[Block]:
    return [context_block(" ".join(sentences), block_id)] if sentences else []


def _rows(elements: Sequence[Block]) -> list[Block]:
    first, rest = elements[:BUTTONS_PER_ROW], elements[BUTTONS_PER_ROW:]
    rows = [buttons(first, BlockId.BUTTONS)] if first else []
    return [*rows, buttons(rest, f"{BlockId.BUTTONS}_more")] if rest else rows
