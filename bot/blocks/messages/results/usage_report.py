"""The report on what was asked of a database and found in it, for its owner alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks.button_state import CommandState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import Block
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, image_of
from bot.blocks.reply import Reply, button, buttons, mrkdwn_reply, section
from bot.blocks.wording.channels import usage as wording
from bot.domain.channels.feedback import UsageOutcome, WeekCounts
from bot.domain.identifiers import DatabaseName, EntityId


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Counts by week, oldest first, and the ids that the reader may see with the highest counts."""

    database: DatabaseName
    weeks: tuple[WeekCounts, ...]
    found: tuple[tuple[EntityId, int], ...] = ()
    reposted: tuple[tuple[EntityId, int], ...] = ()

    def total(self, *outcomes: UsageOutcome) -> int:
        """Return how often any of the outcomes came."""
        return sum(week.of(outcome) for week in self.weeks for outcome in outcomes)


def usage_reply(report: UsageReport, chart: PictureRef = NO_PICTURE) -> Reply:
    """Return the report with a chart, if there is one, and a table."""
    answered = report.total(UsageOutcome.FOUND, UsageOutcome.SURE)
    others = map(report.total, (UsageOutcome.NOTHING, UsageOutcome.RIGHT, UsageOutcome.WRONG))
    blocks: list[Block] = [section(wording.summary(answered, *others))]
    if (image := image_of(chart, wording.CHART_ALT)) is not None:
        blocks.append(image)
    active = [week for week in report.weeks if week.counts]
    if active:
        blocks.append(section(wording.table(active)))
    rankings = ((wording.MOST_FOUND, report.found), (wording.MOST_REPOSTED, report.reposted))
    blocks += [section(wording.ranking(label, entities)) for label, entities in rankings if entities]
    if active:
        value = CommandState(text=f"report in:{report.database} csv").encode() or ""
        blocks.append(buttons([button(wording.CSV_BUTTON, ActionId.RUN_COMMAND, value)], BlockId.BUTTONS))
    return mrkdwn_reply(wording.title(report.database, len(report.weeks)), *blocks)


def csv_rows(report: UsageReport) -> list[list[str]]:
    """Return the table of the report, with a header. Weeks without counts have zeros."""
    header = ["week", *(name.replace(" ", "_") for name, _ in wording.COLUMNS)]
    return [header, *([f"{week.monday}", *map(str, wording.values(week))] for week in report.weeks)]


def chart_series(report: UsageReport) -> tuple[Sequence[str], Sequence[tuple[str, Sequence[int]]]]:
    """Return the labels and the series of the chart."""
    outcomes = (UsageOutcome.SURE, UsageOutcome.FOUND, UsageOutcome.NOTHING)
    labels = [wording.week_label(week.monday) for week in report.weeks]
    return labels, [
        (name, [week.of(outcome) for week in report.weeks])
        for name, outcome in zip(wording.SHOWN_AS, outcomes, strict=True)
    ]
