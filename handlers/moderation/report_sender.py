"""Sends the guard's reports: to the thread of the repost, to a channel for reports, or as a reaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.messages.reports import REPORTS_IN_MESSAGE
from bot.blocks.reply import Reply, with_marker
from bot.domain.channels.reports import MOST_MATCHES, NewReport, Report, ReportedMatch
from bot.domain.errors import RetryLater
from bot.domain.identifiers import DatabaseKey
from bot.images.features import fingerprint
from bot.services.channels.collection import SharedImage
from bot.services.channels.repost_guard import posting_of
from bot.services.search.search_result import SearchResult
from bot.storage.ports.moderation import GuardReports
from bot.storage.ports.storage import ProcessLocks
from handlers.inbox.share import Share
from handlers.moderation.report_composer import ReportComposer, report_reader
from handlers.parsing.payloads import SharedFile
from handlers.replies import delivery
from handlers.replies.presenter import AnswerPresenter, AnswerReader
from handlers.slack.directory import DirectoryCache
from handlers.slack_errors import CANNOT_UPDATE, UNREACHABLE, code_of, retry_later

log = logging.getLogger(__name__)

FLOOD_WINDOW = timedelta(minutes=10)
REPORTS_ALONE = 5
"""Reports that get a message of their own in a channel for reports within the window. Further ones share one."""

REPLIES_ALONE = 10
"""Replies in threads of a channel within the window, if there is no channel for reports. Further ones share a message
in the channel."""

MOST_GROUPED = 200
"""Reports that one message is about. The next report begins another one."""

_SHOWN_BY_SLACK = ("image/png", "image/jpeg", "image/gif")


@dataclass(frozen=True, slots=True)
class Repost:
    """A shared image that repeats earlier ones."""

    file: SharedFile
    image: SharedImage
    found: SearchResult


@dataclass(frozen=True, slots=True)
class ThreadReport:
    """What to answer in the thread of reposts. Each message of the reply is about some of the reports."""

    reply: Reply
    files: list[str]
    reports: tuple[Report, ...]


class ReportSender:
    """Stores reports and sends them. Running it again for the same share stores and posts nothing twice."""

    def __init__(
        self,
        composer: ReportComposer,
        reports: GuardReports,
        locks: ProcessLocks,
        presenter: AnswerPresenter,
        directories: DirectoryCache,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._composer = composer
        self._reports = reports
        self._locks = locks
        self._presenter = presenter
        self._directories = directories
        self._clock = clock

    async def send(self, share: Share, key: DatabaseKey, reposts: Sequence[Repost]) -> ThreadReport | None:
        """Store reports about reposts, and send them to the channel for reports.

        Return what to answer in the thread; None if the channel is quiet, or the thread has it. Raises RetryLater.
        """
        reports = [await self._reports.create(_new(share, key, repost)) for repost in reposts]
        if share.binding.rules.report_to:
            reports = list(await self._send_copy(share, reports))
        unanswered = [report for report in reports if not report.thread_ts]
        if share.binding.rules.quiet or not unanswered or await self._is_flood(share, unanswered):
            return None
        reader = AnswerReader(share.audience, share.client)
        reply = await self._composer.in_thread(unanswered, reader)
        return ThreadReport(reply, [report.about.file for report in unanswered], tuple(unanswered))

    async def _is_flood(self, share: Share, reports: Sequence[Report]) -> bool:
        """If there are too many replies in the channel's threads, add these reports to one message, and return True.

        A channel for reports has them anyway.
        """
        about = reports[0].about
        if share.binding.rules.report_to:
            return False
        async with self._locks.hold(f"reports:{about.workspace}/{about.channel}"):
            since = self._clock() - FLOOD_WINDOW
            if len(await self._reports.recent_threads(about.workspace, about.channel, since)) < REPLIES_ALONE:
                return False
            waiting = [report for report in reports if not report.copy_ts]
            if missing := await self._without_copy(share.client, waiting, about.channel):
                with _translated():
                    recent = await self._recent_copies(about, about.channel)
                    await self._group(missing, about.channel, share.client, recent)
        return True

    async def record(self, sent: ThreadReport, posted: Sequence[str]) -> None:
        """Record which messages show the reports, by the time of each message of the reply."""
        start = 0
        for message, ts in zip(sent.reply.messages, posted, strict=False):
            ids = [report.id for report in sent.reports[start : start + message.pictures]]
            start += message.pictures
            await self._reports.set_thread(ids, ts)

    async def _send_copy(self, share: Share, reports: Sequence[Report]) -> Sequence[Report]:
        """Send a copy to the channel for reports, if its readers may see the pictures. Return the reports as stored."""
        channel, about = share.binding.rules.report_to, reports[0].about
        async with self._locks.hold(f"reports:{about.workspace}/{channel}"):
            waiting = [report for report in reports if not report.copy_ts]
            if missing := await self._without_copy(share.client, waiting, channel):
                with _translated():
                    await self._post_copy(share, missing, channel)
        stored = {one.id: one for one in await self._reports.of_message(about.workspace, about.channel, about.message)}
        return [stored.get(report.id, report) for report in reports]

    async def _without_copy(self, client: AsyncWebClient, reports: Sequence[Report], channel: str) -> Sequence[Report]:
        """Return the reports that no message was posted about right before the process died. Raises RetryLater."""
        if not reports or reports[0].copy_channel != channel:
            return reports
        first = reports[0]
        ts = await delivery.find_marked(client, channel, first.about.message, _marker(first))
        if not ts:
            return reports
        found = reports if first.is_grouped else reports[:REPORTS_IN_MESSAGE]
        await self._reports.set_copy([report.id for report in found], channel, ts, is_grouped=first.is_grouped)
        return reports[len(found) :]

    async def _post_copy(self, share: Share, reports: Sequence[Report], channel: str) -> None:
        about, client = reports[0].about, share.client
        directory = self._directories.of(about.workspace, client)
        reader = await report_reader(self._directories, about.workspace, channel, about.channel, client)
        if not await directory.is_bot_member(channel):
            log.warning("a report was not sent to %s: the bot is not in it", channel)
            return
        if channel != about.channel and not await self._presenter.sees_channel(reader, about.channel, share.kind):
            log.warning("a report was not sent to %s: not everybody there can see its image", channel)
            return
        reply = await self._composer.as_copy(reports, reader)
        if reply is None:
            log.info("a report was not sent to %s: its readers can't see the earlier image", channel)
            return
        recent = await self._recent_copies(about, channel)
        if len({one.copy_ts for one in recent if not one.is_grouped}) >= REPORTS_ALONE:
            await self._group(reports, channel, client, recent)
            return
        ids = [report.id for report in reports]
        # Before the post, so that a later attempt looks for it.
        await self._reports.set_copy(ids, channel, "")
        start = 0
        for message in reply.messages:
            posted = await delivery.post_editable(client, channel, with_marker(message, _marker(reports[start])))
            await self._reports.set_copy(ids[start : start + message.pictures], channel, posted.ts)
            start += message.pictures

    async def _group(
        self, reports: Sequence[Report], channel: str, client: AsyncWebClient, recent: Sequence[Report]
    ) -> None:
        """Add reports to the message about many, or begin one. ``recent`` are those that the channel has."""
        about, ids = reports[0].about, [report.id for report in reports]
        last = next((one for one in reversed(recent) if one.is_grouped and one.about.channel == about.channel), None)
        group = await self._reports.grouped(about.workspace, channel, last.copy_ts) if last else ()
        if last is not None and len(group) < MOST_GROUPED:
            await self._reports.set_copy(ids, channel, last.copy_ts, is_grouped=True)
            reply = await self._composer.of_many([*group, *reports], client)
            if await _is_updated(client, channel, last.copy_ts, reply):
                return
        await self._reports.set_copy(ids, channel, "", is_grouped=True)
        reply = with_marker(await self._composer.of_many(reports, client), _marker(reports[0]))
        posted = await delivery.post_editable(client, channel, reply)
        await self._reports.set_copy(ids, channel, posted.ts, is_grouped=True)

    async def _recent_copies(self, about: NewReport, channel: str) -> Sequence[Report]:
        return await self._reports.recent_copies(about.workspace, channel, self._clock() - FLOOD_WINDOW)


async def _is_updated(client: AsyncWebClient, channel: str, ts: str, reply: Reply) -> bool:
    """Update a message. Return False if it can't be, because somebody deleted it, for example."""
    try:
        await delivery.update(client, channel, ts, reply)
    except SlackApiError as error:
        if code_of(error) in CANNOT_UPDATE:
            return False
        raise
    return True


@contextmanager
def _translated() -> Iterator[None]:
    """Log why Slack refuses a report for good. Raises RetryLater for other errors, after which it is looked for."""
    try:
        yield
    except SlackApiError as error:
        if later := retry_later(error):
            raise later from error
        log.warning("a report could not be sent: %s", code_of(error))
    except UNREACHABLE as error:
        raise RetryLater(f"Slack can't be reached ({type(error).__name__})") from error


def _marker(report: Report) -> str:
    return f"report-{report.id}"


def _new(share: Share, key: DatabaseKey, repost: Repost) -> NewReport:
    message, picture = share.message, repost.image.image.picture
    matches = [one.match for one in repost.found.matches if one.record is not None][:MOST_MATCHES]
    return NewReport(
        workspace=message.workspace,
        channel=message.channel,
        message=message.ts,
        thread=message.reply_to,
        file=repost.file.id,
        name=repost.file.name,
        author=message.user,
        database=key.name,
        digest=picture.digest,
        fingerprint=fingerprint.compute(picture),
        posted_at=posting_of(repost.image).posted_at,
        matches=tuple(ReportedMatch(one.data_id, one.score, one.verdict, one.edits) for one in matches),
        is_shown=not repost.file.link and repost.file.mimetype in _SHOWN_BY_SLACK,
        is_preview=picture.is_preview,
        caveats=repost.found.caveats,
    )
