"""Texts of the report on what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bot.blocks.mrkdwn import count, database_code, entity_code
from bot.domain.channels.feedback import UsageOutcome, WeekCounts
from bot.domain.identifiers import DatabaseName, EntityId

COLUMNS = (
    ("answered", (UsageOutcome.FOUND, UsageOutcome.SURE)),
    ("sure", (UsageOutcome.SURE,)),
    ("not found", (UsageOutcome.NOTHING,)),
    ("right", (UsageOutcome.RIGHT,)),
    ("wrong", (UsageOutcome.WRONG,)),
    ("reposts", (UsageOutcome.REPOST,)),
)
"""The columns of the table and of the CSV, and the outcomes that each counts."""

SHOWN_AS = ("sure", "similar", "not found")
"""The series of the chart."""

CHART_ALT = "Answers by week: sure, similar and not found"
SENT_CSV = "I sent you the report directly."
CSV_BUTTON = "Send CSV"


def title(database: DatabaseName, weeks: int) -> str:
    """Return the first line of the report."""
    return f"*What was asked of {database_code(database)}*, the last {count(weeks, 'week')}"


def summary(answered: int, nothing: int, right: int, wrong: int) -> str:
    """Return the totals in words."""
    asked = answered + nothing
    if not asked and not right and not wrong:
        return "Nothing was asked yet."
    share = f" ({100 * answered / asked:.0f} %)" if asked else ""
    return (
        f"{count(asked, 'picture')} asked · {answered:,} answered{share} · {nothing:,} not found · "
        f"{right:,} judged right, {wrong:,} wrong"
    )


def table(weeks: Sequence[WeekCounts]) -> str:
    """Return the counts by week, as columns."""
    header = ["week of", *(name for name, _ in COLUMNS)]
    rows = [[f"{week.monday}", *(f"{value:,}" for value in values(week))] for week in weeks]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return "```\n" + "\n".join(lines) + "\n```"


def values(week: WeekCounts) -> list[int]:
    """Return a week's value of each column."""
    return [sum(week.of(outcome) for outcome in outcomes) for _, outcomes in COLUMNS]


def ranking(label: str, entities: Sequence[tuple[EntityId, int]]) -> str:
    """Return ids with their counts, the most first."""
    return f"*{label}:* " + ", ".join(f"{entity_code(entity)} {times:,}×" for entity, times in entities)


MOST_FOUND, MOST_REPOSTED = "Most found", "Most reposted"


def week_label(monday: date) -> str:
    """Return a week's label in the chart."""
    return f"{monday.day} {monday:%b}"
