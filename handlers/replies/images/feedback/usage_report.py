"""Composes the report on what was asked of a database, for its owner and for admins alone."""

from __future__ import annotations

import asyncio
import csv
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bot.blocks.messages.image_details import NO_PICTURE, PictureRef
from bot.blocks.messages.results.usage_report import UsageReport, chart_series, csv_rows, usage_reply
from bot.blocks.mrkdwn import database_code
from bot.blocks.reply import Reply, mrkdwn_reply, notice
from bot.blocks.wording.channels import usage as wording
from bot.domain.channels.feedback import UsageOutcome, WeekCounts, monday_of
from bot.domain.errors import BackendError
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId
from handlers.replies import delivery
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.exports import upload
from handlers.replies.requester import Requester

WEEKS = 12
TOP = 5
CANDIDATES = 200
"""Images whose counts are read, of which the reader may not see some."""


class UsageComposer:
    """Composes reports. They have counts, and ids that the reader may see."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def report(self, requester: Requester, name: DatabaseName, *, as_csv: bool = False) -> Reply:
        """Return the report, or send it to the requester as CSV. Raises NotAllowed, UserError, BackendError."""
        info = await self._answers.changeable_database(requester, name)
        report = await self._read(requester, info.key)
        if as_csv:
            await self._send_csv(requester, report)
            return notice(wording.SENT_CSV)
        has_counts = any(week.counts for week in report.weeks)
        return usage_reply(report, await self._chart(requester, report) if has_counts else NO_PICTURE)

    async def _read(self, requester: Requester, key: DatabaseKey) -> UsageReport:
        # This process's own last seconds, too.
        await self._dependencies.usage.write()
        last = monday_of(datetime.now(UTC))
        mondays = [last - timedelta(weeks=ago) for ago in reversed(range(WEEKS))]
        counts = {week.monday: week for week in await self._dependencies.usage.weeks(key, mondays[0])}
        weeks = tuple(counts.get(monday, WeekCounts(monday, {})) for monday in mondays)
        found = await self._top(requester, key, (UsageOutcome.FOUND, UsageOutcome.SURE), mondays[0])
        reposted = await self._top(requester, key, (UsageOutcome.REPOST,), mondays[0])
        return UsageReport(key.name, weeks, found, reposted)

    async def _top(
        self, requester: Requester, key: DatabaseKey, outcomes: Sequence[UsageOutcome], since: date
    ) -> tuple[tuple[EntityId, int], ...]:
        """Return the ids with the highest counts, of images that the person may see."""
        images = await self._dependencies.usage.top(key, outcomes, since, CANDIDATES)
        records = await self._dependencies.catalogue.records(key, [data_id for data_id, _ in images])
        shown = await self._dependencies.presenter.shown(requester.as_reader, records.values())
        written: dict[str, EntityId] = {}
        times: Counter[str] = Counter()
        for data_id, number in images:
            if data_id in shown:
                entity = shown[data_id].entity
                written.setdefault(entity.key, entity)
                times[entity.key] += number
        return tuple((written[entity], number) for entity, number in times.most_common(TOP))

    async def _chart(self, requester: Requester, report: UsageReport) -> PictureRef:
        from bot.images.charts import stacked_bars  # noqa: PLC0415 - Pillow, which no other part of this needs

        drawn = await asyncio.to_thread(stacked_bars, *chart_series(report))
        services = self._dependencies
        if services.publish is None:
            file = await services.uploads.show_for_an_hour(requester.workspace, requester.client, drawn)
            return PictureRef(slack_file=file)
        try:
            return PictureRef(url=await services.publish(drawn))
        except BackendError:
            # The table says the same.
            return NO_PICTURE

    async def _send_csv(self, requester: Requester, report: UsageReport) -> None:
        first = mrkdwn_reply(f"The report on {database_code(report.database)}, as CSV:")
        posted = await delivery.post_editable(requester.client, requester.user, first)
        with tempfile.TemporaryDirectory(prefix="vsearch-report-") as folder:
            path = Path(folder) / f"report_{report.database}.csv"
            await asyncio.to_thread(_write, path, csv_rows(report))
            await upload(requester, posted.channel, path)


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
