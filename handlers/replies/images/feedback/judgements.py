"""Composes the answers to people who say whether a match is right. Nobody judges an image that they can't see."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import replace

from bot.blocks.button_state import AddState, FeedbackState, LearningState, SearchState
from bot.blocks.messages.results.feedback import thanks_reply
from bot.blocks.reply import Reply, mrkdwn_reply
from bot.blocks.wording.channels.feedback import NOTHING_TO_RATE, learning_undone
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.channels.reports import Label
from bot.domain.errors import InvalidInput, UserError
from bot.domain.identifiers import ALL_DATABASES, DatabaseKey, DatabaseName, DataId
from bot.domain.matches import Verdict
from handlers.replies.answers import AnswerComposer, SeenImage
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.additions import AdditionComposer
from handlers.replies.requester import Requester

PRINT_BYTES = 32
TOP_SCORE = 10.0
MAX_DIGITS = 15


class FeedbackComposer:
    """Records what people say about matches."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._additions = AdditionComposer(dependencies, answers)

    async def record(self, requester: Requester, state: FeedbackState, pressed_at: float) -> Reply:
        """Record a label, in place of the one that the person gave before. Raises UserError.

        ``pressed_at``: Slack's time of the press, in seconds since 1970. Of several presses, the last one counts.
        """
        key = DatabaseKey(requester.workspace, DatabaseName(state.database))
        label = replace(_label_of(state, key, requester.user), pressed_at=pressed_at)
        seen = await self._answers.seen_image(requester, key, label.data_id)
        await self._dependencies.feedback.record(label)
        offer = await self._offer(requester, state, label, seen) if state.right else None
        return thanks_reply(is_right=state.right, offer=offer)

    async def ask(self, requester: Requester, states: Sequence[SearchState]) -> Reply:
        """Return the best matches of several pictures, to be called right or wrong. Raises UserError, BackendError."""
        presenter, reader = self._dependencies.presenter, requester.as_reader
        among: list[DatabaseKey] = []
        if states[0].database == ALL_DATABASES:
            among = [info.key for info in await self._answers.searched(requester, ALL_DATABASES)]
        results = await self._dependencies.finder.look_up(
            requester.workspace, states, requester.client, presenter.readers(reader), among
        )
        reply = await presenter.rating(reader, results, states)
        if reply is None:
            raise UserError(NOTHING_TO_RATE)
        return reply

    async def undo_learning(self, requester: Requester, state: LearningState) -> Reply:
        """Go back to the scores that a database had before it learned. Raises NotAllowed, UserError."""
        if not state.learned.isdecimal() or len(state.learned) > MAX_DIGITS:
            raise InvalidInput(STALE_BUTTON)
        info = await self._answers.changeable_database(requester, DatabaseName(state.database))
        await self._dependencies.feedback.undo(info.key, int(state.learned), requester.user)
        return mrkdwn_reply(learning_undone(info.key.name))

    async def _offer(
        self, requester: Requester, state: FeedbackState, label: Label, seen: SeenImage
    ) -> AddState | None:
        """Return what the photo would be added as; None for a copy, and for people who may not add it."""
        if label.verdict.is_copy or not (state.file or state.url):
            return None
        offer = AddState(
            files=state.file,
            url=state.url,
            channel=state.channel,
            message=state.message,
            database=state.database,
            entity=seen.shown.entity,
            note=seen.shown.note,
        )
        try:
            await self._additions.check_may_add(requester, offer)
        except UserError:
            return None
        return offer


def _label_of(state: FeedbackState, key: DatabaseKey, user: str) -> Label:
    """Return the label of a press. Raises InvalidInput for anything that the bot's buttons don't carry."""
    try:
        fingerprint, verdict = urlsafe_b64decode(state.print.encode()), Verdict[state.verdict]
    except (ValueError, KeyError):
        raise InvalidInput(STALE_BUTTON) from None
    if len(fingerprint) != PRINT_BYTES or not 0 <= state.lead <= TOP_SCORE >= state.score >= 0 or not state.image:
        raise InvalidInput(STALE_BUTTON)
    return Label(
        database=key,
        data_id=DataId(state.image),
        fingerprint=fingerprint,
        score=state.score,
        verdict=verdict,
        user=user,
        is_same=state.right,
        by_likeness=state.likeness,
        lead=state.lead,
        channel=state.channel,
        message=state.message,
        file=state.file,
    )
