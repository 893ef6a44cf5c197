"""Begins, pauses, resumes and stops imports of channels' past pictures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.messages.history import history_reply
from bot.blocks.mrkdwn import channel_link
from bot.blocks.reply import Reply, mrkdwn_reply
from bot.blocks.wording import imports as wording
from bot.blocks.wording.commands import USAGE
from bot.domain.channels import ChannelMode
from bot.domain.errors import InvalidInput, RetryLater, UserError
from bot.domain.identifiers import DatabaseName
from bot.domain.jobs import (
    HistoryImport,
    HistoryPage,
    HistoryStatus,
    NewHistoryImport,
    latest_to_read,
    message_at,
)
from bot.services.access.permissions import NotAllowed
from bot.services.channels.history_pace import ReadingPace, estimated_messages
from handlers.replies import delivery
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack_errors import UNREACHABLE, HistoryRefused

LIMITED_WAIT_S = 30.0
"""Slack asks those apps to wait for so long that it limits to a call a minute."""


class HistoryComposer:
    """Answers requests about imports of past pictures."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def begin(self, requester: Requester, named: DatabaseName | None = None, since: float = 0.0) -> Reply:
        """Begin the import of a channel's past pictures, and say how long it takes. Raises UserError."""
        channel = requester.channel
        if not channel or channel.startswith("D"):
            raise InvalidInput(wording.HISTORY_NEEDS_CHANNEL)
        database = await self._database(requester, named)
        given = await self._dependencies.history.of_channel(requester.workspace, channel)
        if given is not None and given.status.is_active:
            raise UserError(wording.HISTORY_RUNS)
        now = datetime.now(UTC)
        new = NewHistoryImport(
            workspace=requester.workspace,
            enterprise=dict(await self._dependencies.catalogue.connected()).get(requester.workspace, ""),
            channel=channel,
            database=database,
            started_by=requester.user,
            oldest=message_at(since) if since else "",
            latest=latest_to_read(now),
        )
        page, wait_s = None, 0.0
        try:
            page = await self._dependencies.past_pages.page(new, requester.client)
        except HistoryRefused as error:
            sentence = wording.HISTORY_PROBLEMS.get(error.code, wording.HISTORY_UNREADABLE)
            raise UserError(sentence) from error
        except RetryLater as error:
            # Slack allows some apps one call a minute, and another import may have made it.
            wait_s = max(error.after_s, 1.0)
        begun = await self._dependencies.history.start(new, page)
        if begun is None:
            raise UserError(wording.HISTORY_RUNS)
        if page is None:
            await self._dependencies.history.postpone(begun.id, now + timedelta(seconds=wait_s))
        estimate = self._estimate(page, since, now) if page else _rate(self._pace(is_limited=wait_s >= LIMITED_WAIT_S))
        return mrkdwn_reply(wording.history_started(channel_link(channel), estimate))

    async def _database(self, requester: Requester, named: DatabaseName | None) -> str:
        """Return where the pictures go: empty for what the channel's settings say. Raises UserError."""
        binding = await self._answers.binding(requester)
        if named is not None:
            return (await self._answers.database(requester, named)).name
        if binding.mode in {ChannelMode.COLLECT, ChannelMode.GUARD}:
            # A sentence says so if the channel's database was deleted.
            await self._dependencies.channel_settings.database_of(binding)
            return ""
        known = [info.key.name for info in await self._answers.databases(requester)]
        meant = binding.database if binding.database in known else known[0] if len(known) == 1 else ""
        form = USAGE["import"].removeprefix("/vsearch ")
        correction = (form, f"{form} in:{meant}") if meant else None
        raise InvalidInput(wording.history_not_watched(meant or ""), correction)

    def _estimate(self, page: HistoryPage, since: float, now: datetime) -> str:
        pace = self._pace(is_limited=page.is_limited)
        messages = estimated_messages(page, since, now.timestamp())
        if messages is None:
            return _rate(pace)
        left = max(0, messages - page.count)
        return wording.history_takes(messages, pace.seconds(left, len(page.threads)))

    def _pace(self, *, is_limited: bool) -> ReadingPace:
        return ReadingPace.of(is_limited=is_limited, calls_per_min=self._dependencies.history_calls_per_min)

    async def control(self, requester: Requester, number: int, status: HistoryStatus) -> None:
        """Pause, resume or stop an import, and show that in its message. Raises UserError."""
        given = await self._dependencies.history.get(number)
        if given is None or given.workspace != requester.workspace:
            raise UserError(wording.HISTORY_OVER)
        members = self._answers.directory(requester)
        if not await self._dependencies.permissions.may_control(given.started_by, requester.user, members):
            raise NotAllowed(wording.HISTORY_CONTROL_REFUSED)
        changed = await self._dependencies.history.set_status(number, status)
        if changed is None:
            raise UserError(wording.HISTORY_OVER)
        await self._show(replace(changed, notice=requester.message or changed.notice), requester.client)

    async def _show(self, given: HistoryImport, client: AsyncWebClient) -> None:
        try:
            await delivery.update(client, given.channel, given.notice, history_reply(given))
        except UNREACHABLE:
            # The status is stored. The worker shows it with the next step.
            return


def _rate(pace: ReadingPace) -> str:
    """Return how fast a channel of unknown size is read."""
    return wording.history_pace(pace.page, pace.messages_per_min)
