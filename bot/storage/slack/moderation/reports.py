"""Reports of guard channels, and what moderators did about them, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from bot.domain.channels.reports import NewReport, Report
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import UNKNOWN_TIME
from bot.storage.catalogue.rows import database_id_of
from bot.storage.slack.moderation.report_rows import (
    REPORTS,
    TAKES_EFFECT_LATER,
    actions,
    matches,
    read_reports,
    reports,
)
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import guard_report_matches, guard_reports, images
from bot.storage.sql.sqlite import record_deletion

MOST_COUNTED = 1000
"""Earlier messages with an image that are counted."""

PURGED_AT_ONCE = 500

_WAITING = select(actions.report_id).where(TAKES_EFFECT_LATER)


class SqlGuardReports:
    """Implements ``storage.ports.moderation.GuardReports``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def create(self, new: NewReport) -> Report:
        """Store a report, unless this file of the message was reported before. Raises UnknownDatabase."""
        same = _of_message(new.workspace, new.channel, new.message) & (reports.file == new.file)

        def work(connection: Connection) -> Report:
            take_advisory_locks(connection, "report", [f"{new.workspace} {new.channel} {new.message}"])
            if found := read_reports(connection, REPORTS.where(same)):
                return found[0]
            self._insert(connection, new)
            return read_reports(connection, REPORTS.where(same))[0]

        return await self._database.write(work)

    def _insert(self, connection: Connection, new: NewReport) -> None:
        database_id = database_id_of(connection, new.key, key_share_lock=True)
        names = ("workspace", "channel", "message", "thread", "file", "name", "author", "digest", "fingerprint")
        values = {name: getattr(new, name) for name in (*names, "posted_at", "is_shown", "is_preview")}
        values["caveats"] = "|".join(sorted(new.caveats))
        inserted = connection.execute(
            insert(guard_reports).values(**values, database_id=database_id, created_at=self._clock())
        )
        assert inserted.inserted_primary_key is not None
        wanted = images.c.data_id.in_([match.data_id for match in new.matches])
        ids = select(images.c.data_id, images.c.id).where(images.c.database_id == database_id, wanted)
        image_ids = {row.data_id: row.id for row in connection.execute(ids)}
        rows = [
            {
                "report_id": inserted.inserted_primary_key[0],
                "image_id": image_ids[match.data_id],
                "rank": rank,
                "score": match.score,
                "verdict": str(match.verdict),
                "edits": "|".join(match.edits),
            }
            for rank, match in enumerate(new.matches)
            if match.data_id in image_ids
        ]
        if rows:
            connection.execute(insert(guard_report_matches), rows)

    async def get(self, workspace: WorkspaceId, report: int) -> Report | None:
        """Return a report of a workspace."""
        found = await self._read((reports.workspace == workspace) & (reports.id == report))
        return found[0] if found else None

    async def of_message(self, workspace: WorkspaceId, channel: str, message: str) -> tuple[Report, ...]:
        """Return the reports about a message."""
        return await self._read(_of_message(workspace, channel, message))

    async def of_file(self, workspace: WorkspaceId, file: str) -> tuple[Report, ...]:
        """Return the reports about a file, whatever messages it was shared in."""
        return await self._read((reports.workspace == workspace) & (reports.file == file))

    async def grouped(self, workspace: WorkspaceId, channel: str, ts: str) -> tuple[Report, ...]:
        """Return the reports that one message in a channel for reports is about."""
        return await self._read(
            (reports.workspace == workspace) & (reports.copy_channel == channel) & (reports.copy_ts == ts)
        )

    async def earlier(self, report: Report) -> frozenset[str]:
        """Return the messages before this one in its channel that were reported to repeat one of its images."""
        about = report.about
        same = select(matches.image_id).where(matches.report_id == report.id)
        repeating = select(matches.report_id).where(matches.image_id.in_(same))
        there = (reports.workspace == about.workspace) & (reports.channel == about.channel)
        before = (reports.message != about.message) & (reports.posted_at <= about.posted_at)
        query = select(reports.message).distinct().where(there, before, reports.id.in_(repeating)).limit(MOST_COUNTED)
        return await self._database.read(lambda connection: frozenset(connection.execute(query).scalars()))

    async def set_thread(self, ids: Collection[int], ts: str) -> None:
        """Record which message in the thread shows reports."""
        await self._set(ids, thread_ts=ts)

    async def set_copy(self, ids: Collection[int], channel: str, ts: str, *, is_grouped: bool = False) -> None:
        """Record which message in a channel for reports shows reports; an empty ``ts`` before it is posted."""
        await self._set(ids, copy_channel=channel, copy_ts=ts, copy_at=self._clock(), is_grouped=is_grouped)

    async def recent_copies(self, workspace: WorkspaceId, channel: str, since: datetime) -> tuple[Report, ...]:
        """Return the reports that were posted to a channel for reports since a moment, oldest first."""
        there = (reports.workspace == workspace) & (reports.copy_channel == channel) & (reports.copy_at >= since)
        return await self._read(there & (reports.copy_ts != ""))

    async def recent_threads(self, workspace: WorkspaceId, channel: str, since: datetime) -> tuple[str, ...]:
        """Return the messages in threads of a channel that show reports from since a moment."""
        there = (reports.workspace == workspace) & (reports.channel == channel) & (reports.created_at >= since)
        query = select(reports.thread_ts).distinct().where(there, reports.thread_ts != "")
        return await self._database.read(lambda connection: tuple(connection.execute(query).scalars()))

    async def forget(self, workspace: WorkspaceId, *, channel: str = "", message: str = "", file: str = "") -> None:
        """Delete the reports about a file, a message or a channel; all of the workspace if none is named.

        One whose original is to be deleted is purged after that.
        """
        condition = reports.workspace == workspace
        for column, value in ((reports.channel, channel), (reports.message, message), (reports.file, file)):
            condition = condition & (column == value) if value else condition
        if not (channel or message or file):
            await self._delete(condition)
            return
        await self._delete(condition & reports.id.not_in(_WAITING))
        if await self._read(condition):
            await self._update(condition, created_at=UNKNOWN_TIME, is_shown=False)

    async def purge(self, before: datetime) -> None:
        """Delete reports from before a moment, in small transactions. Those with a later effect stay until then."""
        await self._delete((reports.created_at < before) & reports.id.not_in(_WAITING))

    async def _delete(self, condition: ColumnElement[bool]) -> None:
        some = select(reports.id).where(condition).limit(PURGED_AT_ONCE)

        def work(connection: Connection) -> bool:
            ids = connection.execute(some).scalars().all()
            if ids:
                record_deletion(connection)
                connection.execute(delete(guard_reports).where(reports.id.in_(ids)))
            return len(ids) == PURGED_AT_ONCE

        # A read first, because most deletions in Slack are about nothing that was reported.
        while await self._database.read(lambda connection: connection.execute(some.limit(1)).first()):
            if not await self._database.write(work):
                return

    async def _set(self, ids: Collection[int], **values: object) -> None:
        await self._update(reports.id.in_(ids), **values)

    async def _update(self, condition: ColumnElement[bool], **values: object) -> None:
        changed = update(guard_reports).where(condition).values(values)

        def work(connection: Connection) -> None:
            connection.execute(changed)

        await self._database.write(work)

    async def _read(self, condition: ColumnElement[bool]) -> tuple[Report, ...]:
        query = REPORTS.where(condition).order_by(reports.id)
        return await self._database.read(lambda connection: read_reports(connection, query))


def _of_message(workspace: WorkspaceId, channel: str, message: str) -> ColumnElement[bool]:
    return (reports.workspace == workspace) & (reports.channel == channel) & (reports.message == message)
