"""Rows of reports: read them with their matches and actions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from bot.domain.channels.reports import NewReport, Report, ReportAction, ReportedMatch, TakenAction
from bot.domain.identifiers import DatabaseName, DataId, WorkspaceId
from bot.domain.matches import Caveat, Edit, Verdict
from bot.storage.sql.schema.tables import databases, guard_report_actions, guard_report_matches, guard_reports, images

reports, matches, actions = guard_reports.c, guard_report_matches.c, guard_report_actions.c

REPORTS = select(guard_reports, databases.c.name.label("database")).join(databases)

TAKES_EFFECT_LATER = actions.due_at.is_not(None) & actions.done_at.is_(None) & (actions.undone_by == "")
"""Selects actions that did not take effect yet."""


def read_reports(connection: Connection, query: Select[Any]) -> tuple[Report, ...]:
    """Return the reports of a query that began as REPORTS, in its order."""
    rows = connection.execute(query).all()
    if not rows:
        return ()
    ids = [row.id for row in rows]
    found, taken = _matches_of(connection, ids), _actions_of(connection, ids)
    return tuple(_report_of(row, tuple(found[row.id]), tuple(taken[row.id])) for row in rows)


def _matches_of(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[ReportedMatch]]:
    query = select(guard_report_matches, images.c.data_id).join(images).where(matches.report_id.in_(ids))
    found: defaultdict[int, list[ReportedMatch]] = defaultdict(list)
    for row in connection.execute(query.order_by(matches.report_id, matches.rank)):
        edits = tuple(Edit(edit) for edit in row.edits.split("|") if edit in set(Edit))
        found[row.report_id].append(ReportedMatch(DataId(row.data_id), row.score, Verdict(row.verdict), edits))
    return found


def _actions_of(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[TakenAction]]:
    query = select(guard_report_actions).where(actions.report_id.in_(ids)).order_by(actions.id)
    found: defaultdict[int, list[TakenAction]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.report_id].append(taken_of(row))
    return found


def taken_of(row: Row[Any]) -> TakenAction:
    """Return the action of a row."""
    return TakenAction(
        row.id,
        ReportAction(row.action),
        row.user,
        row.taken_at,
        row.due_at,
        row.done_at,
        row.place,
        row.undone_by,
    )


def _report_of(row: Row[Any], found: tuple[ReportedMatch, ...], taken: tuple[TakenAction, ...]) -> Report:
    about = NewReport(
        workspace=WorkspaceId(row.workspace),
        channel=row.channel,
        message=row.message,
        thread=row.thread,
        file=row.file,
        name=row.name,
        author=row.author,
        database=DatabaseName(row.database),
        digest=row.digest,
        fingerprint=row.fingerprint,
        posted_at=row.posted_at,
        matches=found,
        is_shown=row.is_shown,
        is_preview=row.is_preview,
        caveats=frozenset(Caveat(caveat) for caveat in row.caveats.split("|") if caveat in set(Caveat)),
    )
    return Report(row.id, about, row.created_at, row.thread_ts, row.copy_channel, row.copy_ts, row.is_grouped, taken)
