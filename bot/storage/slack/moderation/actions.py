"""What moderators do about reports, in SQL. An action and its effect are one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from bot.domain.channels.reports import FORGET_AFTER, Label, Report, ReportAction, TakenAction
from bot.storage.slack.moderation.pairs import exclude_pairs, include_pairs, record_label
from bot.storage.slack.moderation.report_rows import REPORTS, TAKES_EFFECT_LATER, actions, read_reports, reports
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import guard_report_actions

MOST_DUE = 50


class SqlReportActions:
    """Implements ``storage.ports.moderation.ReportActions``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def take(self, report: Report, action: ReportAction, user: str, target: str = "") -> TakenAction | None:
        """Record an action, and let it take effect. Return None if it, or another that settles, stands already.

        ``target``: the data id of the image to delete; that takes effect later. Raises UnknownDatabase.
        """
        now = self._clock()

        def work(connection: Connection) -> TakenAction | None:
            current = self._locked(connection, report.id)
            if current is None or current.taken(action) or (action.settles and current.settled):
                return None
            due_at = now + FORGET_AFTER if action is ReportAction.FORGET else None
            values = {"report_id": report.id, "action": str(action), "user": user, "taken_at": now, "due_at": due_at}
            values |= {"place": target}
            inserted = connection.execute(insert(guard_report_actions).values(values))
            assert inserted.inserted_primary_key is not None
            taken = TakenAction(int(inserted.inserted_primary_key[0]), action, user, now, due_at, place=target)
            _take_effect(connection, current, taken, now)
            return taken

        return await self._database.write(work)

    async def undo(self, report: Report, taken: int, user: str) -> TakenAction | None:
        """Undo an action, and its effect. Return it, or None if it can't be undone any more. Raises UnknownDatabase."""
        now = self._clock()

        def work(connection: Connection) -> TakenAction | None:
            current = self._locked(connection, report.id)
            found = next((one for one in current.actions if one.id == taken), None) if current else None
            if current is None or found is None or not found.is_undoable(now):
                return None
            undone = update(guard_report_actions).where(actions.id == taken)
            connection.execute(undone.values(undone_by=user, undone_at=now))
            _undo_effect(connection, current, found, now)
            return found

        return await self._database.write(work)

    async def set_place(self, taken: int, place: str) -> None:
        """Record the message that an action sent."""
        await self._change(taken, place=place)

    async def due(self) -> tuple[tuple[Report, TakenAction], ...]:
        """Return actions that must take effect now, with their reports."""
        now = self._clock()
        query = select(actions.report_id).where(TAKES_EFFECT_LATER, actions.due_at <= now)
        query = query.order_by(actions.due_at).limit(MOST_DUE)

        def work(connection: Connection) -> tuple[Report, ...]:
            ids = connection.execute(query).scalars().all()
            return read_reports(connection, REPORTS.where(reports.id.in_(ids))) if ids else ()

        return tuple(
            (report, taken)
            for report in await self._database.read(work)
            for taken in report.standing
            if taken.due_at is not None and taken.done_at is None and taken.due_at <= now
        )

    async def finish(self, taken: int) -> None:
        """Record that an action took effect."""
        await self._change(taken, done_at=self._clock())

    async def _change(self, taken: int, **values: object) -> None:
        changed = update(guard_report_actions).where(actions.id == taken).values(values)

        def work(connection: Connection) -> None:
            connection.execute(changed)

        await self._database.write(work)

    def _locked(self, connection: Connection, report: int) -> Report | None:
        """Return the report as it is now, which no other transaction changes before this one ends."""
        take_advisory_locks(connection, "report action", [str(report)])
        found = read_reports(connection, REPORTS.where(reports.id == report))
        return found[0] if found else None


def _take_effect(connection: Connection, report: Report, taken: TakenAction, now: datetime) -> None:
    about = report.about
    if taken.action is ReportAction.NEVER:
        data_ids = [match.data_id for match in about.matches]
        picture = about.digest, about.fingerprint
        exclude_pairs(connection, about.key, data_ids, picture, (taken.id, taken.user, now))
    elif taken.action is ReportAction.NOT_SAME:
        for label in _labels(report, taken, is_same=False):
            record_label(connection, label, now)


def _undo_effect(connection: Connection, report: Report, taken: TakenAction, now: datetime) -> None:
    if taken.action is ReportAction.NEVER:
        include_pairs(connection, report.about.key, taken.id)
    elif taken.action is ReportAction.NOT_SAME:
        for label in _labels(report, taken, is_same=None):
            record_label(connection, label, now)


def _labels(report: Report, taken: TakenAction, *, is_same: bool | None) -> list[Label]:
    about = report.about
    return [
        Label(
            database=about.key,
            data_id=match.data_id,
            fingerprint=about.fingerprint,
            score=match.score,
            verdict=match.verdict,
            user=taken.user,
            is_same=is_same,
            channel=about.channel,
            message=about.message,
            file="" if about.is_link else about.file,
        )
        for match in about.matches
    ]
