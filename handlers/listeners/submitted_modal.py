"""A submitted modal: its fields, its requester, and methods to answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import FormInput, FormState
from bot.blocks.messages.notices import failed_form_reply
from bot.domain.channels import ChannelKind
from bot.domain.errors import UserError
from handlers.errors import with_progress
from handlers.modals.fields import FieldErrors, plain
from handlers.parsing.payloads.interactions import Submission
from handlers.replies.requester import Requester

CLOSE_AFTER_S = 1.5
"""Time that a form stays open while its work is done. Slack waits 3 s for the acknowledgement, which takes some time
to get there."""

PROGRESS_AFTER_S = 8.0
"""Delay before the person is told that the work takes longer. They have seen the form close, and an answer soon after
that is better alone."""

T = TypeVar("T")

FieldOf = Callable[[Exception], str]
"""Returns the field at which an error is shown."""


class SubmittedModal:
    """A submitted modal: its fields, its requester, and methods to answer it.

    ``is_answered``: another process has acknowledged the submission and closed the form.
    """

    def __init__(
        self,
        submission: Submission,
        client: AsyncWebClient,
        ack: AsyncAck,
        body: Mapping[str, Any],
        *,
        is_answered: bool = False,
    ) -> None:
        self.body = body
        self.form = submission.form
        self.state = FormState.decode(submission.metadata or "{}")
        self.response_urls = dict(submission.response_urls)
        self.entered = FormInput()
        self._inputs = submission.inputs
        self._ack = ack
        self._is_answered = is_answered
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
        if not self._is_answered:
            self._is_answered = True
            await self._ack(response_action="clear")

    async def refuse(self, problems: Mapping[str, str]) -> None:
        """Acknowledge, and show error messages at the fields. The form keeps what was entered."""
        if self._is_answered:
            await self._tell(" ".join(problems.values()))
            return
        self._is_answered = True
        await self._ack(response_action="errors", errors={str(name): text for name, text in problems.items()})

    async def close_after(self, work: Coroutine[Any, Any, T], field_of: FieldOf) -> T:
        """Do the work of a valid submission, and close the form.

        If the work fails in time, the form stays open with the error at a field. If it takes longer, the form closes
        and an error is sent with a button that opens it again. Raises FieldErrors, UserError and BackendError.
        """
        if self._is_answered:
            return await work
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=CLOSE_AFTER_S)
            if not done:
                await self.close()
                return await with_progress(
                    task, self.requester.reply_sentence, after_s=PROGRESS_AFTER_S - CLOSE_AFTER_S
                )
            result = _result_of(task, field_of)
        finally:
            task.cancel()
        await self.close()
        return result

    async def failed(self, sentence: str) -> None:
        """Show an error at the form's first field, or send it to the person if the form is closed."""
        if self._is_answered or not self._inputs:
            await self.close()
            await self._tell(sentence)
        else:
            await self.refuse({self._inputs[0]: plain(sentence)})

    async def _tell(self, sentence: str) -> None:
        await self.requester.reply_privately(failed_form_reply(sentence, self.entered))


def _result_of(task: asyncio.Future[T], field_of: FieldOf) -> T:
    """Return the result of work that is done. Raises FieldErrors for an error that the person may be told."""
    try:
        return task.result()
    except FieldErrors:
        raise
    except UserError as error:
        raise FieldErrors({field_of(error): plain(str(error))}) from error
