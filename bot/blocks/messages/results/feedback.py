"""Rows that ask whether a match is right, and what people get after they said so."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import replace

from bot.blocks.button_state import AddState, FeedbackState, SearchState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block
from bot.blocks.messages.image_details import NO_PICTURE, with_picture
from bot.blocks.messages.results.matches import PresentationOptions, RankedAnswer, alt_text_of, match_text
from bot.blocks.mrkdwn import code, one_line
from bot.blocks.reply import Reply, button, buttons, feedback_buttons, mrkdwn_reply, section
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import results as results_wording
from bot.blocks.wording.channels import feedback as wording
from bot.domain.identifiers import DatabaseName
from bot.domain.matches import Verdict


def feedback_row(ranked: RankedAnswer, options: PresentationOptions, number: int = 0) -> list[Block]:
    """Return the row that asks whether a match is right; none if nobody can be asked."""
    if ranked.record is None or options.state is None or not options.fingerprint:
        return []
    right = _state_of(ranked, options.state, options.fingerprint)
    if right is None:
        return []
    values = [replace(right, right=is_right).encode() or "" for is_right in (True, False)]
    block_id = f"{BlockId.FEEDBACK}_{number}" if number else BlockId.FEEDBACK
    action_id = f"{ActionId.FEEDBACK}:{number}" if number else ActionId.FEEDBACK
    about = labels.match_of_picture(number, ranked.match.entity) if number else ""
    return [feedback_buttons(action_id, (wording.RIGHT, values[0]), (wording.WRONG, values[1]), block_id, about)]


def _state_of(ranked: RankedAnswer, search: SearchState, fingerprint: bytes) -> FeedbackState | None:
    """Return what the buttons carry, without a URL that is too long; None if Slack takes no value of that length."""
    match, record = ranked.match, ranked.record
    assert record is not None
    agrees = match.text is not None and match.text.agreeing > 0
    is_likeness = match.verdict in {Verdict.SIMILAR, Verdict.UNLIKELY} and not agrees and match.part is None
    state = FeedbackState(
        database=record.database.name,
        image=match.data_id,
        print=urlsafe_b64encode(fingerprint).decode(),
        score=round(match.score if match.likeness is None else match.likeness, 3),
        lead=round(match.lead, 3),
        verdict=match.verdict.name,
        likeness=is_likeness,
        channel=search.channel,
        message=search.message,
        # A part that matched is no photo of one thing.
        file="" if search.part else search.file,
        url="" if search.part else search.url,
    )
    return next((one for one in (state, replace(state, url="")) if replace(one, right=True).encode()), None)


def rating_reply(asked: Sequence[tuple[int, str, RankedAnswer, PresentationOptions]]) -> Reply:
    """Return the best match of each picture of a message, with a row that asks whether it is right."""
    blocks: list[Block] = []
    for number, name, ranked, options in asked:
        title = results_wording.short_picture_title(number, code(one_line(name), ""))
        picture = options.pictures.get(ranked.match.data_id, NO_PICTURE)
        shown = with_picture(section(f"{title}\n{match_text(ranked)}"), picture, alt_text_of(ranked))
        blocks += [shown, *feedback_row(ranked, options, number)]
    return mrkdwn_reply(wording.WHICH_ARE_RIGHT, *blocks)


def thanks_reply(*, is_right: bool, offer: AddState | None = None) -> Reply:
    """Thank somebody who judged a match. ``offer``: the photo that they may add to the confirmed entity."""
    thanks = wording.THANKS_RIGHT if is_right else wording.THANKS_WRONG
    value = offer.encode() if offer is not None else None
    if offer is None or value is None:
        return mrkdwn_reply(thanks)
    row = buttons([button(wording.add_photo_to(offer.entity), ActionId.ADD_AS, value)], BlockId.BUTTONS)
    return mrkdwn_reply(thanks, section(wording.add_photo_question(offer.entity, DatabaseName(offer.database))), row)
