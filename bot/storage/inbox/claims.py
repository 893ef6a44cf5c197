"""Choose the jobs that a worker runs next: from each workspace in turn, its oldest.

However many jobs a workspace has, a claim reads one row of an index for each job that it takes, and one for each
workspace that already has its share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from bot.domain.jobs import LaneRoom
from bot.storage.inbox.rows import JobState
from bot.storage.sql.schema.tables import inbox

_jobs = inbox.c

# Built once, because workers look for jobs all the time.
_FIRST = (
    select(inbox)
    .where(_jobs.state == JobState.WAITING, _jobs.obligation == bindparam("lane"))
    .order_by(_jobs.workspace, _jobs.due_at, _jobs.id)
    .limit(1)
)
_NEXT = _FIRST.where(_jobs.workspace > bindparam("after"))
# Concurrent workers claim different jobs.
_FIRST_UNLOCKED, _NEXT_UNLOCKED = _FIRST.with_for_update(skip_locked=True), _NEXT.with_for_update(skip_locked=True)
_LEASE = (
    update(inbox)
    .where(_jobs.id == bindparam("job"))
    .values(
        state=JobState.RUNNING,
        begun=False,
        owner=bindparam("by"),
        due_at=bindparam("until"),
        due_set_at=bindparam("now"),
    )
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leases jobs, from when on and for how long."""

    owner: str
    moment: datetime
    seconds: float


class LaneQueue:
    """The waiting jobs of a lane. It remembers which workspace had its turn last, in this process."""

    def __init__(self, *, obligations: bool) -> None:
        self._obligations = obligations
        self._last: str | None = None

    def is_any_ready(self, connection: Connection, room: LaneRoom) -> bool:
        """Return whether ``take`` would find a job."""
        return room.free > 0 and next(self._turns(connection, room, self._last, lock=False), None) is not None

    def take(self, connection: Connection, room: LaneRoom, lease: Lease) -> list[Row[Any]]:
        """Lease waiting jobs, one of each workspace in turn until the room is filled."""
        rows: list[Row[Any]] = []
        if room.free <= 0:
            return rows
        until = lease.moment + timedelta(seconds=lease.seconds)
        for row in self._turns(connection, room, self._last, lock=True):
            values = {"job": row.id, "by": lease.owner, "until": until, "now": lease.moment}
            connection.execute(_LEASE, values)
            rows.append(row)
            self._last = row.workspace
            if len(rows) == room.free:
                break
        return rows

    def _turns(self, connection: Connection, room: LaneRoom, position: str | None, *, lock: bool) -> Iterator[Row[Any]]:
        """Yield the next job of each workspace in turn. The caller takes each before it asks for another."""
        first, following = (_FIRST_UNLOCKED, _NEXT_UNLOCKED) if lock else (_FIRST, _NEXT)
        running = Counter(room.running)
        # A round that begins in the middle says nothing of the workspaces before it.
        go_on = position is not None
        while True:
            at = {"lane": self._obligations}
            query, values = (first, at) if position is None else (following, {**at, "after": position})
            row = connection.execute(query, values).first()
            if row is None:
                if not go_on:
                    return
                position, go_on = None, False
                continue
            position = row.workspace
            if running[row.workspace] < room.most_each:
                running[row.workspace] += 1
                go_on = True
                yield row
