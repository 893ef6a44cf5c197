"""Buttons and menus of the guard's reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from bot.blocks.button_state import ReportState
from bot.blocks.ids import ActionId
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.channels.reports import ReportAction
from bot.domain.errors import InvalidInput
from handlers.moderation.report_actions import ReportButtons
from handlers.parsing.payloads.interactions import ActionRequest
from handlers.replies import delivery
from handlers.replies.requester import Requester

HandleAction = Callable[[ActionRequest, Requester], Awaitable[None]]

_ACTIONS = {
    ActionId.REPORT_OK: ReportAction.OK,
    ActionId.REPORT_NEVER: ReportAction.NEVER,
    ActionId.REPORT_ASK: ReportAction.ASK,
    ActionId.REPORT_NOT_SAME: ReportAction.NOT_SAME,
}


class ReportActionListener:
    """Handles the buttons of reports."""

    def __init__(self, buttons: ReportButtons) -> None:
        self._buttons = buttons

    @property
    def handlers(self) -> Mapping[str, HandleAction]:
        """The handlers by action."""
        taking: dict[str, HandleAction] = {str(name): partial(self._take, action) for name, action in _ACTIONS.items()}
        return {
            **taking,
            ActionId.REPORT_MENU: self._menu,
            ActionId.REPORT_FORGET: self._ask_to_forget,
            ActionId.REPORT_FORGET_NOW: self._forget,
            ActionId.REPORT_UNDO: self._undo,
        }

    async def _take(self, action: ReportAction, request: ActionRequest, requester: Requester) -> None:
        await self._buttons.take(requester, ReportState.decode(request.value), action)

    async def _menu(self, request: ActionRequest, requester: Requester) -> None:
        name, _, value = request.selected.partition("|")
        state = ReportState.decode(value)
        if name == ActionId.REPORT_NOT_SAME:
            await self._buttons.take(requester, state, ReportAction.NOT_SAME)
        elif name == ActionId.REPORT_FORGET:
            await requester.reply_privately(await self._buttons.ask_to_forget(requester, state))
        else:
            raise InvalidInput(STALE_BUTTON)

    async def _ask_to_forget(self, request: ActionRequest, requester: Requester) -> None:
        state = ReportState.decode(request.value)
        await requester.reply_privately(await self._buttons.ask_to_forget(requester, state))

    async def _forget(self, request: ActionRequest, requester: Requester) -> None:
        await self._buttons.forget(requester, ReportState.decode(request.value))
        if request.is_ephemeral and requester.response_url:
            await delivery.delete_original(request.response_url)

    async def _undo(self, request: ActionRequest, requester: Requester) -> None:
        await self._buttons.undo(requester, ReportState.decode(request.value))
