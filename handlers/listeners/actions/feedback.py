"""Buttons that judge matches, and one that undoes what a database learned from judgements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from bot.blocks.button_state import FeedbackState, LearningState, decode_searches
from bot.blocks.ids import ActionId
from handlers.listeners.app_home import HomeListener
from handlers.parsing.payloads.interactions import ActionRequest
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.feedback.judgements import FeedbackComposer
from handlers.replies.requester import Requester

HandleAction = Callable[[ActionRequest, Requester], Awaitable[None]]


class FeedbackActions:
    """Handles the buttons of feedback."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer, home: HomeListener) -> None:
        self._feedback = FeedbackComposer(dependencies, answers)
        self._home = home

    @property
    def handlers(self) -> Mapping[str, HandleAction]:
        """The handlers by action."""
        return {
            ActionId.FEEDBACK: self._judge,
            ActionId.RATE: self._rate,
            ActionId.UNDO_LEARNING: self._undo_learning,
        }

    async def _judge(self, request: ActionRequest, requester: Requester) -> None:
        state = FeedbackState.decode(request.value)
        await requester.reply_privately(await self._feedback.record(requester, state, request.pressed_at))

    async def _rate(self, request: ActionRequest, requester: Requester) -> None:
        await requester.reply_privately(await self._feedback.ask(requester, decode_searches(request.value)))

    async def _undo_learning(self, request: ActionRequest, requester: Requester) -> None:
        state = LearningState.decode(request.value)
        await requester.reply_privately(await self._feedback.undo_learning(requester, state))
        await self._home.publish(requester)
