"""Counts of what was asked, by week, in SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import partial

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from bot.domain.channels.feedback import UsageEvent, UsageOutcome, WeekCounts, monday_of
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DataId, WorkspaceId
from bot.storage.catalogue.rows import database_id_of
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import (
    databases,
    feedback_labels,
    image_usage,
    images,
    learned_scores,
    usage_counts,
)
from bot.storage.sql.sqlite import record_deletion

_counts, _usage, _labels = usage_counts.c, image_usage.c, feedback_labels.c

MOST_LABELS = 100_000
"""Labels of which the weeks are counted, the newest ones."""


class SqlUsageCounts:
    """Implements ``storage.ports.feedback.UsageCounts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, events: Sequence[UsageEvent], week: date) -> None:
        """Count events. What belongs to databases or images that are gone is left out."""
        for key in sorted({event.database for event in events}, key=lambda key: (key.workspace, key.name)):
            own = [event for event in events if event.database == key]
            # A transaction for each, so that a database that is being deleted doesn't hold up the others.
            await self._database.write(partial(_add, key=key, events=own, week=week))

    async def weeks(self, key: DatabaseKey, since: date) -> tuple[WeekCounts, ...]:
        """Return the counts of each week with any, oldest first. Raises UnknownDatabase."""

        def work(connection: Connection) -> tuple[WeekCounts, ...]:
            database_id = database_id_of(connection, key)
            found: defaultdict[date, Counter[UsageOutcome]] = defaultdict(Counter)
            wanted = (_counts.database_id == database_id) & (_counts.week >= since.toordinal())
            for row in connection.execute(select(usage_counts).where(wanted)):
                found[date.fromordinal(row.week)][UsageOutcome(row.outcome)] += row.total
            # The last press of each person counts, so these come from the labels themselves.
            begin = datetime.combine(since, time.min, UTC)
            labels = (_labels.database_id == database_id) & (_labels.created_at >= begin)
            query = select(_labels.created_at, _labels.is_same).where(labels).order_by(_labels.id.desc())
            for row in connection.execute(query.limit(MOST_LABELS)):
                found[monday_of(row.created_at)][UsageOutcome.RIGHT if row.is_same else UsageOutcome.WRONG] += 1
            return tuple(WeekCounts(monday, found[monday]) for monday in sorted(found))

        return await self._database.read(work)

    async def top(
        self, key: DatabaseKey, outcomes: Sequence[UsageOutcome], since: date, limit: int
    ) -> tuple[tuple[DataId, int], ...]:
        """Return the images with the highest counts, and these. Raises UnknownDatabase."""

        def work(connection: Connection) -> tuple[tuple[DataId, int], ...]:
            database_id, times = database_id_of(connection, key), func.sum(_usage.total).label("times")
            wanted = (_usage.database_id == database_id) & _usage.outcome.in_(list(map(str, outcomes)))
            query = (
                select(images.c.data_id, times)
                .join_from(image_usage, images, images.c.id == _usage.image_id)
                .where(wanted, _usage.week >= since.toordinal())
                .group_by(images.c.data_id)
                .order_by(times.desc(), images.c.data_id)
            )
            return tuple((DataId(row.data_id), int(row.times)) for row in connection.execute(query.limit(limit)))

        return await self._database.read(work)

    async def purge(self, before: date) -> None:
        """Delete the counts of earlier weeks."""

        def work(connection: Connection) -> None:
            for table in (usage_counts, image_usage):
                connection.execute(delete(table).where(table.c.week < before.toordinal()))

        await self._database.write(work)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete the counts of a workspace's databases, and what these learned."""
        is_own = databases.c.workspace == workspace
        own = select(databases.c.id).where(is_own)

        def work(connection: Connection) -> None:
            record_deletion(connection)
            # Searches forget what those databases learned that stay, because they are the operator's.
            connection.execute(update(databases).where(is_own).values(revision=databases.c.revision + 1))
            for table in (usage_counts, image_usage, learned_scores):
                connection.execute(delete(table).where(table.c.database_id.in_(own)))

        await self._database.write(work)


def _add(connection: Connection, key: DatabaseKey, events: Sequence[UsageEvent], week: date) -> None:
    try:
        database_id = database_id_of(connection, key, key_share_lock=True)
    except UnknownDatabase:
        return
    # One process after another, so that no count is lost and none is inserted twice.
    take_advisory_locks(connection, "usage", [str(database_id)])
    for outcome, times in Counter(event.outcome for event in events).items():
        place = {"database_id": database_id, "week": week.toordinal(), "outcome": str(outcome)}
        _increase(connection, usage_counts, place, times, {})
    matched = Counter((event.image, event.outcome) for event in events if event.image)
    wanted = (images.c.database_id == database_id) & images.c.data_id.in_({image for image, _ in matched})
    # Locked, so that an image that is deleted meanwhile takes its rows along.
    found = select(images.c.data_id, images.c.id).where(wanted).with_for_update(key_share=True, read=True)
    ids = {row.data_id: row.id for row in connection.execute(found)}
    for (image, outcome), times in matched.items():
        if image in ids:
            place = {"image_id": ids[image], "week": week.toordinal(), "outcome": str(outcome)}
            _increase(connection, image_usage, place, times, {"database_id": database_id})


def _increase(
    connection: Connection, table: Table, place: Mapping[str, object], times: int, others: Mapping[str, object]
) -> None:
    wanted = [table.c[name] == value for name, value in place.items()]
    increased = connection.execute(update(table).where(*wanted).values(total=table.c.total + times))
    if not increased.rowcount:
        connection.execute(insert(table).values(**place, **others, total=times))
