"""Search results for one picture."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.ids import BlockId
from bot.blocks.limits import Block, fit
from bot.blocks.messages.matches import (
    DEFAULT_PRESENTATION,
    PresentationOptions,
    SearchAnswer,
    match_blocks,
    remarks,
    result_buttons,
    short_caveats,
)
from bot.blocks.mrkdwn import database_code, database_size, database_words, user_mention
from bot.blocks.reply import Reply, buttons, context_block, section
from bot.blocks.wording import results as wording

BUTTONS_PER_ROW = 3
"""A phone shows no more than three buttons in a row."""


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
            section(summary(found, start, kept), BlockId.SUMMARY),
            *shared_by_blocks(options),
            *(block for group in groups[:kept] for block in group),
            *context_blocks(sentences, BlockId.LEFT_OUT),
            *_rows(elements),
        ]

    return Reply(headline(found, start) + short_caveats(found.caveats), fit(len(groups), build))


def headline(found: SearchAnswer, start: int = 0) -> str:
    """Return the top-level text about one picture, whose matches before ``start`` are on earlier pages."""
    name = database_words(found.database.key.name)
    if not found.matches:
        return wording.nothing_visible(name) if _is_unsure(found) else _no_matches(found, name)
    return wording.further_matches(name) if start else wording.best_match(name, found.matches[0].match)


def summary(found: SearchAnswer, start: int, kept: int) -> str:
    """Return the first line about one picture of which ``kept`` matches from ``start`` on are shown."""
    if found.matches:
        return wording.summary(found.database, start, kept, len(found.matches))
    where = database_size(found.database)
    if _is_unsure(found):
        return wording.nothing_visible(database_code(found.database.key.name) if found.hides_images else where)
    if not found.database.images and not found.weaker:
        return wording.database_empty(found.database.key.name)
    return _no_matches(found, where)


def _is_unsure(found: SearchAnswer) -> bool:
    """Return whether an answer without matches must neither confirm nor deny that there are hidden ones."""
    return bool(found.hidden) or found.hides_images


def _no_matches(found: SearchAnswer, where: str) -> str:
    return wording.no_matches(where, found.caveats, weaker=bool(found.weaker))


def shared_by_blocks(options: PresentationOptions) -> list[Block]:
    """Return who shared the results with the channel, if somebody did."""
    mention = user_mention(options.shared_by)
    return [context_block(wording.shared_by(mention))] if mention else []


def context_blocks(sentences: Sequence[str], block_id: str) -> list[Block]:
    """Return sentences in small letters, if there are any."""
    return [context_block(" ".join(sentences), block_id)] if sentences else []


def _rows(elements: Sequence[Block]) -> list[Block]:
    first, rest = elements[:BUTTONS_PER_ROW], elements[BUTTONS_PER_ROW:]
    rows = [buttons(first, BlockId.BUTTONS)] if first else []
    return [*rows, buttons(rest, f"{BlockId.BUTTONS}_more")] if rest else rows
