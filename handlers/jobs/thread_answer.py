"""The answer to a shared image in its thread: a progress message that turns into it, and one message or several."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.ids import BlockId
from bot.blocks.reply import Reply, notice, with_marker
from bot.blocks.wording.errors import STILL_WORKING
from bot.domain.errors import RetryLater
from bot.domain.jobs import Job
from bot.storage.ports.inbox import Inbox
from handlers.parsing.payloads import ImageShare
from handlers.replies import delivery
from handlers.replies.delivery import PostedMessage
from handlers.slack_errors import CANNOT_UPDATE, UNREACHABLE, TargetGone, code_of, translate_errors

log = logging.getLogger(__name__)

PROGRESS_AFTER_S = 4.5
"""Delay before the thread says that the work takes longer.

Most answers come sooner, and a notification shows only the first version of a message. With the delay of the notice
about a queued request, it stays below 10 s.
"""

_PROGRESS = "progress"

Sleep = Callable[[float], Awaitable[None]]


class LeaseLost(TargetGone):
    """Another process has taken the job, and answers."""


class ThreadAnswer:
    """What a share job posts in its thread.

    Each message is marked. After a crash or an unknown outcome, the next attempt finds what was posted and goes on from
    there: a progress message turns into the answer, and pictures that were answered are not answered again.
    """

    def __init__(
        self, client: AsyncWebClient, inbox: Inbox, job: Job, message: ImageShare, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._job = job
        self._message = message
        self._sleep = sleep
        self._marker = f"{job.id}-{job.message}"
        self._posting = asyncio.Lock()
        self._is_over = False
        self._progress_ts = ""
        self._answered: frozenset[str] = frozenset()
        self._posted: list[tuple[PostedMessage, Reply]] = []
        self.is_complete = False

    async def find_earlier(self, *, has_progress: bool = True) -> None:
        """Find what earlier attempts posted. ``has_progress``: they may have shown progress. Raises RetryLater."""
        message, job = self._message, self._job
        if not job.answering and not (has_progress and job.attempts > 1):
            return
        try:
            found = await delivery.marked_messages(
                self._client, message.channel, message.reply_to, message.ts, self._marker
            )
        except RetryLater:
            if job.answering:
                raise
            return
        self._progress_ts = found.get(_PROGRESS, "")
        self.is_complete = BlockId.SUMMARY in found
        last = {name.partition(".")[2] for name in found}
        ends = [number for number, file in enumerate(message.files, start=1) if file.id in last]
        self._answered = frozenset(file.id for file in message.files[: max(ends, default=0)])

    @property
    def answered(self) -> frozenset[str]:
        """The ids of the files that an earlier attempt answered."""
        return self._answered

    @property
    def posted(self) -> list[str]:
        """The times of the messages that were posted, in order."""
        return [posted.ts for posted, _ in self._posted]

    @asynccontextmanager
    async def progress(self) -> AsyncIterator[None]:
        """Say in the thread that the work goes on, if it takes long."""
        task = asyncio.create_task(self._announce())
        try:
            yield
        finally:
            # A message that is being posted must be known, so that it can turn into the answer.
            async with self._posting:
                self._is_over = True
            task.cancel()
            await asyncio.wait([task])

    async def _announce(self) -> None:
        await self._sleep(PROGRESS_AFTER_S)
        async with self._posting:
            if self._is_over or self._progress_ts:
                return
            message = self._message
            try:
                reply = with_marker(notice(STILL_WORKING), self._marker, _PROGRESS)
                posted = await delivery.post_editable(self._client, message.channel, reply, message.reply_to)
                self._progress_ts = posted.ts
            except UNREACHABLE as error:
                log.info("the progress could not be shown: %s", type(error).__name__)

    async def send(self, reply: Reply, files: Sequence[str]) -> bool:
        """Post the reply. Return whether Slack took all blocks of all messages.

        Args:
            reply: The answer.
            files: The ids of the answered files, in the order of the reply's pictures.

        Raises RetryLater, CannotPost, TargetGone.
        """
        async with self._posting:
            self._is_over = True
        self._posted.clear()
        # Before the answer, so that a later attempt looks for it even if this process dies right after it.
        await self._check_lease()
        are_complete, answered, messages = True, 0, reply.messages
        for number, message in enumerate(messages, start=1):
            if not await self._is_any_wanted(files):
                raise TargetGone("it was deleted meanwhile")
            answered += message.pictures
            is_last = number == len(messages)
            name = BlockId.SUMMARY if is_last else f"{BlockId.SUMMARY}.{files[answered - 1]}"
            with translate_errors(self._message.channel), delivery.checked_posts(self._check_lease):
                posted = await self._post(marked := with_marker(message, self._marker, name))
            self._posted.append((posted, marked))
            are_complete = are_complete and posted.is_complete
        return are_complete

    async def edit(self, reply: Reply, files: Sequence[str]) -> None:
        """Turn the posted messages into those of another reply about the same files.

        Nothing is edited if the files or the messages were deleted meanwhile, or if the reply needs more messages or
        fewer. Raises SlackApiError and network errors.
        """
        messages = reply.messages
        if len(messages) != len(self._posted):
            return
        for number, (message, (posted, before)) in enumerate(zip(messages, self._posted, strict=True)):
            marked = replace(
                message,
                blocks=({**message.blocks[0], "block_id": before.blocks[0].get("block_id")}, *message.blocks[1:]),
                marker=before.marker,
            )
            if marked == before or not posted.ts or not await self._is_any_wanted(files):
                continue
            await delivery.update(self._client, posted.channel, posted.ts, marked)
            self._posted[number] = (posted, marked)

    async def _is_any_wanted(self, files: Sequence[str]) -> bool:
        for file in files:
            if await self._inbox.is_wanted(self._job.id, file):
                return True
        return False

    async def _check_lease(self) -> None:
        if not await self._inbox.mark_answering(self._job):
            raise LeaseLost("another process has it")

    async def _post(self, reply: Reply) -> PostedMessage:
        """Turn the progress message into the reply, or post it if there is none."""
        message, progress_ts = self._message, self._progress_ts
        if progress_ts:
            try:
                is_complete = await delivery.update(self._client, message.channel, progress_ts, reply)
            except SlackApiError as error:
                if code_of(error) not in CANNOT_UPDATE:
                    raise
            else:
                self._progress_ts = ""
                return PostedMessage(message.channel, progress_ts, is_complete)
        posted = await delivery.post_editable(self._client, message.channel, reply, message.reply_to)
        await self.withdraw()
        return posted

    async def withdraw(self) -> None:
        """Delete the progress message, if there is one and it did not turn into the answer."""
        progress_ts, self._progress_ts = self._progress_ts, ""
        if progress_ts:
            with contextlib.suppress(*UNREACHABLE):
                await self._client.chat_delete(channel=self._message.channel, ts=progress_ts)
