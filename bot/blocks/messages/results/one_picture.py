"""Search results for one picture."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.ids import BlockId
from bot.blocks.limits import Block, escape, fit
from bot.blocks.messages.image_details import address, image_of
from bot.blocks.messages.results.actions import MOST_BUTTONS, compare_button, photos_button, result_actions
from bot.blocks.messages.results.feedback import feedback_row
from bot.blocks.messages.results.matches import (
    DEFAULT_PRESENTATION,
    AskedPicture,
    PresentationOptions,
    RankedAnswer,
    SearchAnswer,
    match_blocks,
    remarks,
    said_first,
    short_caveats,
)
from bot.blocks.mrkdwn import code, database_code, database_size, database_words, user_mention
from bot.blocks.reply import Reply, buttons, context_block, section
from bot.blocks.wording import results as wording
from bot.domain.matches import Verdict


def search_reply(found: SearchAnswer, options: PresentationOptions = DEFAULT_PRESENTATION) -> Reply:
    """Return the results for one picture, or a page of them."""
    total, start, window = len(found.matches), 0, found.matches
    if options.state is not None:
        start, top = max(0, options.state.offset), max(1, options.state.top)
        window = found.matches[start : start + top]
    groups = [_match(ranked, options) for ranked in window]
    if groups and not start:
        groups[0] += feedback_row(window[0], options)

    def build(kept: int) -> list[Block]:
        end = start + kept
        elements, problem = result_actions(
            found,
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

    return Reply(headline(found, start) + short_caveats(found.caveats - said_first(found)), fit(len(groups), build))


def _match(ranked: RankedAnswer, options: PresentationOptions) -> list[Block]:
    """Return a match. The best one has a large picture, unless it is unlikely, and a button to its other pictures."""
    is_large = ranked.rank == 1 and ranked.match.verdict is not Verdict.UNLIKELY
    photos = photos_button(ranked) if is_large and options.state is not None else None
    compare = compare_button(ranked, options.state)
    if is_large and photos is None:
        return match_blocks(ranked, options.pictures, large=True, accessory=compare)
    blocks = match_blocks(ranked, options.pictures, large=is_large, accessory=photos)
    return [*blocks, buttons([compare])] if compare else blocks


def headline(found: SearchAnswer, start: int = 0) -> str:
    """Return the top-level text about one picture, whose matches before ``start`` are on earlier pages."""
    name = database_words(found.database.key.name)
    if not found.matches:
        return wording.nothing_visible(name) if is_unsure(found) else _no_matches(found, name)
    return wording.further_matches(name) if start else wording.best_match(name, found.matches[0].match)


def summary(found: SearchAnswer, start: int, kept: int) -> str:
    """Return the first line about one picture of which ``kept`` matches from ``start`` on are shown."""
    if found.matches:
        best = found.matches[0].match.verdict
        lead = wording.lead(best, is_sure=not is_unsure(found))
        return wording.summary(found.database, lead, start, kept, len(found.matches))
    where = database_size(found.database)
    if is_unsure(found):
        return wording.nothing_visible(database_code(found.database.key.name) if found.hides_images else where)
    if not found.database.images and not found.weaker:
        return wording.database_empty(found.database.key.name)
    return _no_matches(found, where)


def is_unsure(found: SearchAnswer) -> bool:
    """Return whether an answer without matches must neither confirm nor deny that there are hidden ones."""
    return bool(found.hidden) or found.hides_images


def _no_matches(found: SearchAnswer, where: str) -> str:
    return wording.no_matches(where, found.caveats, weaker=bool(found.weaker))


def shared_by_blocks(options: PresentationOptions) -> list[Block]:
    """Return who shared the results with the channel, if somebody did, and the picture that was asked about."""
    mention = user_mention(options.shared_by)
    asked = options.asked or AskedPicture()
    parts = [wording.shared_by(mention) if mention else "", asked_text(asked)]
    line = "  ·  ".join(filter(None, parts))
    if not line:
        return []
    block, image = context_block(line), image_of(asked.picture, wording.ASKED_PICTURE_ALT)
    return [block | {"elements": [image, *block["elements"]]} if image else block]


def asked_text(asked: AskedPicture) -> str:
    """Return which picture was asked about, with a link to it; empty if nothing is known of it."""
    return wording.asked_with(code(asked.name, ""), escape(address(asked.link)))


def context_blocks(sentences: Sequence[str], block_id: str) -> list[Block]:
    """Return sentences in small letters, if there are any."""
    return [context_block(" ".join(sentences), block_id)] if sentences else []


def _rows(elements: Sequence[Block]) -> list[Block]:
    if elements and elements[-1]["type"] == "overflow":
        return [buttons(elements, BlockId.BUTTONS)]
    first, rest = elements[:MOST_BUTTONS], elements[MOST_BUTTONS:]
    rows = [buttons(first, BlockId.BUTTONS)] if first else []
    return [*rows, buttons(rest, f"{BlockId.BUTTONS}_more")] if rest else rows
