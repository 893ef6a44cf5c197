"""Buttons of imports of channels' past pictures: begin, pause, resume and stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from bot.blocks.button_state import HistoryState, NameState
from bot.blocks.ids import ActionId
from bot.blocks.wording.imports import HISTORY_PROBLEMS
from bot.domain.errors import UserError
from bot.domain.jobs import HistoryStatus
from handlers.moderation.settings_changes import SettingsChanges
from handlers.parsing.payloads.interactions import ActionRequest
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.history_imports import HistoryComposer
from handlers.replies.requester import Requester


class HistoryActions:
    """Handles these buttons."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._answers = answers
        self._history = HistoryComposer(dependencies, answers)
        self._settings = SettingsChanges(dependencies)

    @property
    def handlers(self) -> Mapping[str, Callable[[ActionRequest, Requester], Awaitable[None]]]:
        """The handlers by action."""
        return {
            ActionId.IMPORT_HISTORY: self._begin,
            ActionId.PAUSE_HISTORY: self._pause,
            ActionId.RESUME_HISTORY: self._resume,
            ActionId.STOP_HISTORY: self._stop,
        }

    async def _begin(self, request: ActionRequest, requester: Requester) -> None:
        channel = NameState.decode(request.value).channel
        if channel not in await self._answers.directory(requester).readable([channel], requester.user):
            raise UserError(HISTORY_PROBLEMS["channel_not_found"])
        await self._settings.check(requester, channel)
        # The answer goes to where the button is, which may be App Home.
        await requester.reply_privately(await self._history.begin(replace(requester, channel=channel)))

    async def _pause(self, request: ActionRequest, requester: Requester) -> None:
        await self._control(request, requester, HistoryStatus.PAUSED)

    async def _resume(self, request: ActionRequest, requester: Requester) -> None:
        await self._control(request, requester, HistoryStatus.RUNNING)

    async def _stop(self, request: ActionRequest, requester: Requester) -> None:
        await self._control(request, requester, HistoryStatus.STOPPED)

    async def _control(self, request: ActionRequest, requester: Requester, status: HistoryStatus) -> None:
        await self._history.control(requester, HistoryState.decode(request.value).number, status)
