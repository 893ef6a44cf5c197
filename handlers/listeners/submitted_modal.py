"""A submitted modal: its fields, its requester, and methods to answer it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import FormState
from bot.blocks.modals import ViewPayload, text_view, waiting_view
from bot.blocks.reply import notice
from bot.blocks.wording import forms as wording
from bot.domain.channels import ChannelKind
from handlers.parsing.payloads.interactions import Submission
from handlers.replies.requester import Requester
from handlers.slack_errors import UNREACHABLE

log = logging.getLogger(__name__)

VIEW_UPDATE_DELAY_S = 0.5
"""Time that Slack takes to show the view of an acknowledgement. It would overwrite an earlier update."""


class SubmittedModal:
    """A submitted modal: its fields, its requester, and methods to answer it."""

    def __init__(self, submission: Submission, client: AsyncWebClient, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        self.body = body
        self.form = submission.form
        self.state = FormState.decode(submission.metadata or "{}")
        self.response_urls = dict(submission.response_urls)
        self._view_id = submission.view_id
        self._ack = ack
        self._acknowledged_at: float | None = None
        kind = self.state.channel_kind
        self.requester = Requester(
            submission.workspace,
            submission.user,
            client,
            self.state.channel,
            ChannelKind(kind) if kind in set(ChannelKind) else ChannelKind.PRIVATE,
            self.state.response_url,
            self.state.thread,
        )

    async def close(self) -> None:
        """Acknowledge, and close all modals."""
        await self._acknowledge(response_action="clear")

    async def refuse(self, problems: Mapping[str, str]) -> None:
        """Acknowledge, and show error messages at the fields."""
        await self._acknowledge(response_action="errors", errors={str(name): text for name, text in problems.items()})

    async def wait(self, text: str) -> None:
        """Acknowledge, and show a progress message."""
        await self._acknowledge(response_action="update", view=waiting_view(text))

    async def finish(self, title: str, text: str) -> bool:
        """Show the outcome in the modal. Return False if the user has closed it."""
        view = text_view(title, text)
        if self._acknowledged_at is None:
            await self._acknowledge(response_action="update", view=view)
            return True
        return await self._update(view)

    async def _update(self, view: ViewPayload) -> bool:
        await asyncio.sleep((self._acknowledged_at or 0) + VIEW_UPDATE_DELAY_S - time.monotonic())
        try:
            await self.requester.client.views_update(view_id=self._view_id, view=view)
        except UNREACHABLE as error:
            log.info("views.update: %s", type(error).__name__)
            return False
        return True

    async def report(self, text: str) -> None:
        """Show another progress message, unless the user has closed the modal."""
        await self._update(waiting_view(text))

    async def failed(self, sentence: str) -> None:
        """Show an error in the modal, or in the channel where it was opened if it was closed."""
        if not await self.finish(wording.FAILED_TITLE, sentence):
            await self.requester.reply_privately(notice(sentence))

    async def _acknowledge(self, **answer: Any) -> None:
        await self._ack(**answer)
        self._acknowledged_at = time.monotonic()
