"""The message about an import of a channel's past pictures: its progress, its buttons and its result.

Everybody in the channel reads it, so it names no database, and does not say which pictures others had added elsewhere.
"""

from __future__ import annotations

from bot.blocks.button_state import HistoryState, NameState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block
from bot.blocks.mrkdwn import escape_sentence, user_mention
from bot.blocks.reply import Reply, button, buttons, context_block, mrkdwn_reply
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import imports as wording
from bot.domain.jobs import HistoryImport, HistoryStatus


def history_reply(given: HistoryImport, estimate: str = "") -> Reply:
    """Return how far an import is, with the buttons that it takes now; ``estimate`` says how long it takes."""
    if not given.status.is_active:
        text = wording.history_result(
            given.status, given.messages, given.added + given.known, given.known, given.refused
        )
        reason = wording.HISTORY_PROBLEMS.get(given.reason, "")
        return mrkdwn_reply(text, *([context_block(escape_sentence(reason))] if reason else []))
    if given.status is HistoryStatus.PAUSED:
        text = wording.history_paused(given.done, given.pictures)
    elif given.is_listed and given.done:
        text = wording.history_adding(given.done, given.pictures)
    else:
        text = wording.history_reading(given.messages, given.pictures)
    details = [wording.history_started_by(user_mention(given.started_by))]
    details += [estimate] if estimate and given.status is HistoryStatus.RUNNING else []
    details += [wording.history_waits(escape_sentence(given.reason))] if given.reason else []
    return mrkdwn_reply(text, context_block(" · ".join(details)), buttons(_controls(given), BlockId.BUTTONS))


def past_pictures_button(channel: str, about: str = "") -> Block:
    """Return the button that adds a channel's past pictures; ``about`` tells several of them apart."""
    return button(labels.ADD_PAST, ActionId.IMPORT_HISTORY, NameState(channel=channel).encode() or "", about=about)


def _controls(given: HistoryImport) -> list[Block]:
    state = HistoryState(number=given.id).encode() or ""
    pauses = given.status is HistoryStatus.RUNNING
    first = (labels.PAUSE, ActionId.PAUSE_HISTORY) if pauses else (labels.RESUME, ActionId.RESUME_HISTORY)
    return [button(*first, state), button(labels.STOP, ActionId.STOP_HISTORY, state, style="danger")]
