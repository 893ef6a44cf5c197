"""Search results for one picture or several."""

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
    match_blocks,
    remarks,
    result_buttons,
    short_caveats,
)
from bot.blocks.mrkdwn import database_size, one_line, user_mention
from bot.blocks.reply import Reply, buttons, context_block, heading, notice, section
from bot.blocks.wording import results as wording
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
"""A phone shows no more than three buttons in a row."""

MATCHES_PER_PICTURE = 3
"""Matches of each picture if one message had several pictures; more would hide the other pictures' matches."""


class PictureAnswer(Protocol):
    """One picture of several: its results, or why it could not be looked up."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def found(self) -> SearchAnswer | None: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102


def search_reply(found: SearchAnswer, options: PresentationOptions = DEFAULT_PRESENTATION) -> Reply:
    """Return the results for one picture, or a page of them."""
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
            sentences.insert(0, wording.matches_cut(total - end))
        return [
            section(_summary(found, start, kept), BlockId.SUMMARY),
            *_shared_by(options),
            *(block for group in groups[:kept] for block in group),
            *_context_blocks(sentences, BlockId.LEFT_OUT),
            *_rows(elements),
        ]

    return Reply(_headline(found, start) + short_caveats(found.caveats), fit(len(groups), build))


def pictures_reply(pictures: Sequence[PictureAnswer], options: Sequence[PresentationOptions] = ()) -> Reply:
    """Return one reply for all pictures of a message; several pictures get a part each."""
    all_options = [*options, *[DEFAULT_PRESENTATION] * (len(pictures) - len(options))]
    if len(pictures) == 1:
        (only,) = pictures
        if only.found is None:
            return notice(only.problem)
        return search_reply(only.found, all_options[0])
    common = _common_caveats(pictures)
    headlines = [f"{number}. {_fallback_text(picture, common)}" for number, picture in enumerate(pictures, start=1)]
    first = [
        section(_pictures_summary(pictures), BlockId.SUMMARY),
        *(_shared_by(all_options[0]) if all_options else []),
        *_context_blocks(caveat_sentences(common), f"{BlockId.LEFT_OUT}_0"),
    ]
    blocks: tuple[Block, ...] = ()
    for level in _DETAIL_LEVELS:
        parts = [
            _part(number, picture, its_options, level, common)
            for number, (picture, its_options) in enumerate(zip(pictures, all_options, strict=False), start=1)
        ]
        blocks = (*first, *(block for part in parts for block in part))
        if fits(blocks):
            break
    else:
        blocks = _as_many_as_fit(first, parts)
    text = "\n".join(headlines) + short_caveats(common)
    return Reply(shorten(text, MESSAGE_TEXT), blocks)


@dataclass(frozen=True, slots=True)
class _DetailLevel:
    """How much of each picture's results is shown if one message had several pictures.

    ``matches`` and ``buttons`` are numbers of those, ``note`` is a number of characters.
    """

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
    """Return the caveats that all results share; the reply says them once."""
    return frozenset.intersection(*[picture.found.caveats for picture in pictures if picture.found] or [frozenset()])


def _part(
    number: int,
    picture: PictureAnswer,
    options: PresentationOptions,
    level: _DetailLevel,
    already_said: frozenset[Caveat],
) -> list[Block]:
    name = one_line(picture.name)
    title = heading(wording.picture_title(number, name))
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
            blocks.append(context_block(wording.pictures_cut(len(parts) - kept)))
        return blocks

    return fit(len(parts), build)


def _headline(found: SearchAnswer, start: int = 0) -> str:
    name = found.database.key.name
    if not found.matches:
        return wording.nothing_visible(name) if found.hidden else _no_matches(found, name)
    return wording.further_matches(name) if start else wording.best_match(name, found.matches[0].match)


def _summary(found: SearchAnswer, start: int, kept: int) -> str:
    if found.matches:
        return wording.summary(found.database, start, kept, len(found.matches))
    where = database_size(found.database)
    if found.hidden:
        return wording.nothing_visible(where)
    if not found.database.images and not found.weaker:
        return wording.database_empty(found.database.key.name)
    return _no_matches(found, where)


def _fallback_text(picture: PictureAnswer, already_said: frozenset[Caveat]) -> str:
    if picture.found is None:
        return wording.NOT_LOOKED_UP
    return _headline(picture.found) + short_caveats(picture.found.caveats - already_said)


def _no_matches(found: SearchAnswer, where: str) -> str:
    return wording.no_matches(where, found.caveats, weaker=bool(found.weaker))


def _pictures_summary(pictures: Sequence[PictureAnswer]) -> str:
    databases = dict.fromkeys(picture.found.database.key for picture in pictures if picture.found)
    return wording.pictures_summary(len(pictures), [key.name for key in databases])


def _shared_by(options: PresentationOptions) -> list[Block]:
    mention = user_mention(options.shared_by)
    return [context_block(wording.shared_by(mention))] if mention else []


def _context_blocks(sentences: Sequence[str], block_id: str) -> list[Block]:
    return [context_block(" ".join(sentences), block_id)] if sentences else []


def _rows(elements: Sequence[Block]) -> list[Block]:
    first, rest = elements[:BUTTONS_PER_ROW], elements[BUTTONS_PER_ROW:]
    rows = [buttons(first, BlockId.BUTTONS)] if first else []
    return [*rows, buttons(rest, f"{BlockId.BUTTONS}_more")] if rest else rows
