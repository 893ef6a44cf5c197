"""Composes a guard's reports for their readers, who see of the originals only what they may see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.messages.image_details import NO_PICTURE, PictureRef
from bot.blocks.messages.reports import EarlierPosting, ShownReport, many_reports_reply, reports_reply
from bot.blocks.reply import Reply
from bot.domain.catalogue import ImageRecord, Origin, SlackOrigin
from bot.domain.channels import Audience, ChannelKind
from bot.domain.channels.reports import Report, ReportedMatch
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import WorkspaceId
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.moderation import GuardReports
from handlers.replies.presenter import AnswerPresenter, AnswerReader
from handlers.slack.directory import DirectoryCache
from handlers.slack.messages import permalink

LINKS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class _Posting:
    """A posting of an image that counts, with the image as the readers see it."""

    origin: Origin
    record: ImageRecord
    match: ReportedMatch


async def report_reader(
    directories: DirectoryCache, workspace: WorkspaceId, channel: str, watched: str, client: AsyncWebClient
) -> AnswerReader:
    """Return the readers of reports in a channel. If all its members are in the watched channel, they see that too."""
    directory = directories.of(workspace, client)
    kind = await directory.audience(channel, ChannelKind.SHARED)
    is_within = channel != watched and await directory.is_within(channel, watched)
    also = frozenset({watched}) if is_within else frozenset[str]()
    return AnswerReader(Audience(workspace, channel, kind, also=also), client)


class ReportComposer:
    """Builds the messages about reports, when they are posted and whenever they change."""

    def __init__(
        self,
        reports: GuardReports,
        catalogue: Catalogue,
        channel_settings: ChannelSettingsService,
        presenter: AnswerPresenter,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reports = reports
        self._catalogue = catalogue
        self._channel_settings = channel_settings
        self._presenter = presenter
        self._clock = clock

    async def in_thread(self, reports: Sequence[Report], reader: AnswerReader) -> Reply:
        """Return the report for the thread of the repost. If there is a copy for moderators, that has the buttons."""
        shown = [
            await self._shown(report, reader, has_buttons=not report.copy_ts or report.is_grouped) for report in reports
        ]
        return reports_reply(shown)

    async def as_copy(self, reports: Sequence[Report], reader: AnswerReader) -> Reply | None:
        """Return the report for a channel for reports; None if its readers may not see the originals."""
        shown = await self._shown_elsewhere(reports, reader)
        return reports_reply(shown) if all(one.first for one in shown) else None

    async def edited_copy(self, reports: Sequence[Report], reader: AnswerReader) -> Reply:
        """Return the report for a channel for reports that has it already, whether or not the originals are there."""
        return reports_reply(await self._shown_elsewhere(reports, reader))

    async def of_many(self, reports: Sequence[Report], client: AsyncWebClient) -> Reply:
        """Return the message about many reports. It says nothing about originals."""
        newest = reports[-LINKS_AT_ONCE:]
        links = await asyncio.gather(*(permalink(client, one.about.channel, one.about.message) for one in newest))
        without = [(report, "") for report in reports[: -len(newest)]]
        return many_reports_reply([*without, *zip(newest, links, strict=True)], reports[-1].about.channel)

    async def original(self, report: Report, reader: AnswerReader) -> ImageRecord | None:
        """Return the image that a report shows to its readers."""
        postings = await self._postings(report, reader)
        return postings[0].record if postings else None

    async def _shown_elsewhere(self, reports: Sequence[Report], reader: AnswerReader) -> list[ShownReport]:
        about = reports[0].about
        link = await permalink(reader.client, about.channel, about.message)
        return [await self._shown(report, reader, elsewhere=True, link=link) for report in reports]

    async def _shown(
        self, report: Report, reader: AnswerReader, *, elsewhere: bool = False, link: str = "", has_buttons: bool = True
    ) -> ShownReport:
        postings = await self._postings(report, reader)
        first = await self._first(report, postings, reader) if postings else None
        about = report.about
        asked = PictureRef(slack_file=about.file) if about.is_shown else NO_PICTURE
        return ShownReport(report, first, self._clock(), link, elsewhere, has_buttons, asked)

    async def _first(self, report: Report, postings: Sequence[_Posting], reader: AnswerReader) -> EarlierPosting:
        first = postings[0]
        places = {_place(one.origin) for one in postings}
        places |= {(report.about.channel, message) for message in await self._reports.earlier(report)}
        pictures = await self._presenter.pictures(reader, [first.record])
        slack, match = first.origin.slack, first.match
        return EarlierPosting(
            author=first.origin.author,
            at=first.origin.posted_at,
            channel=slack.channel if slack and slack.message_ts else "",
            link=slack.permalink if slack else "",
            entity=first.record.entity,
            note=first.record.note,
            score=match.score,
            verdict=match.verdict,
            edits=match.edits,
            times=len(places) + 1,
            picture=pictures.get(first.record.data_id, NO_PICTURE),
        )

    async def _postings(self, report: Report, reader: AnswerReader) -> list[_Posting]:
        """Return the earlier postings that the readers may see and that count, oldest first, copies before others."""
        about = report.about
        matches = {match.data_id: match for match in about.matches}
        try:
            records = await self._catalogue.records(about.key, list(matches))
        except UnknownDatabase:
            return []
        here = SlackOrigin("", about.channel, about.message)
        others = [record.without_message(here) for record in records.values()]
        shown = (await self._presenter.shown(reader, others)).values()
        rules = (await self._channel_settings.get(about.workspace, about.channel)).rules
        found = [
            _Posting(origin, record, matches[record.data_id])
            for record in shown
            # The rules may have become stricter since.
            for origin in rules.counting(about, record.origins) or record.origins
        ]
        return sorted(found, key=lambda one: (not one.match.verdict.is_copy, one.origin.posted_at))


def _place(origin: Origin) -> tuple[str, ...]:
    slack = origin.slack
    if slack and slack.message_ts:
        return slack.channel, slack.message_ts
    return origin.source, origin.author, origin.posted_at.isoformat()
