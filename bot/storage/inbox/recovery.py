"""Make jobs claimable again: after their delay, after an owner has died, and after the clock was set back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, or_, select, true, update

from bot.storage.inbox.rows import JobState
from bot.storage.sql.schema.tables import inbox

BATCH = 100
"""Rows changed in one transaction, so that no claim holds the write lock for long."""

ANSWER_SETTLE_S = 3.0
"""Delay before a dead process's job is retried if it was posting an answer. The answer may not be visible yet."""

LIVING_OWNER_SETTLE_S = 20.0
"""Additional time for an owner whose lease has expired while it was posting an answer. It may be alive, and end later.

With a lease of 15 s, this covers ``ANSWER_TIMEOUT_S`` (30 s) of the handlers and the time until Slack shows a message.
"""

MAX_QUICK_CRASHES = 4
"""Attempts at an obligation after which it is begun again without a delay if its process died."""

CRASH_DELAY_S = 300.0
"""Delay before it is begun again after more attempts. The job may be what ends its processes."""

CLOCK_TOLERANCE_S = 5.0
"""A time that lies further ahead than that was computed before the clock was set back."""

_jobs = inbox.c

_RELEASE = (
    update(inbox)
    .where(_jobs.id == bindparam("job"))
    .values(
        state=bindparam("new_state"),
        owner="",
        begun=False,
        attempts=bindparam("begun_attempts"),
        due_at=bindparam("due"),
        due_set_at=bindparam("now"),
    )
)
_PROMOTE = update(inbox).where(_jobs.id.in_(bindparam("some", expanding=True))).values(state=JobState.WAITING)
_REBASE = update(inbox).where(_jobs.id == bindparam("job")).values(due_at=bindparam("due"), due_set_at=bindparam("now"))


def _select_delayed(moment: datetime) -> Select[Any]:
    return select(_jobs.id).where(_jobs.state == JobState.DELAYED, _jobs.due_at <= moment)


def _select_expired(moment: datetime) -> Select[Any]:
    settled = moment - timedelta(seconds=LIVING_OWNER_SETTLE_S)
    is_over = or_(_jobs.answering.isnot(true()), _jobs.due_at <= settled)
    return select(inbox).where(and_(_jobs.state == JobState.RUNNING, _jobs.due_at <= moment, is_over))


def is_any_due(connection: Connection, moment: datetime) -> bool:
    """Return whether ``recover_due`` would make a job claimable."""
    queries = (_select_delayed(moment), _select_expired(moment))
    return any(connection.execute(query.limit(1)).first() is not None for query in queries)


def recover_due(connection: Connection, moment: datetime) -> None:
    """Make a batch of jobs claimable whose delay is over or whose lease has expired."""
    due = _select_delayed(moment).order_by(_jobs.due_at).limit(BATCH).with_for_update(skip_locked=True)
    if some := connection.execute(due).scalars().all():
        connection.execute(_PROMOTE, {"some": some})
    expired = _select_expired(moment).order_by(_jobs.due_at).limit(BATCH).with_for_update(skip_locked=True)
    # The time to settle is over.
    release(connection, connection.execute(expired).all(), moment, settle_s=0.0)


def release_of(connection: Connection, owners: Sequence[str], moment: datetime, *, uncounted: bool) -> int:
    """Release the running jobs of these owners, and return how many.

    With ``uncounted``, the attempts that they have begun don't count.
    """
    query = select(inbox).where(_jobs.state == JobState.RUNNING, _jobs.owner.in_(owners))
    rows = connection.execute(query.with_for_update()).all()
    release(connection, rows, moment, settle_s=ANSWER_SETTLE_S, uncounted=uncounted)
    return len(rows)


def release(
    connection: Connection, rows: Sequence[Row[Any]], moment: datetime, *, settle_s: float, uncounted: bool = False
) -> None:
    """Release running jobs, which were older than those that wait. One that was answering waits ``settle_s`` first."""
    for row in rows:
        delay = settle_s if row.answering else 0.0
        if row.obligation and not uncounted and row.attempts > MAX_QUICK_CRASHES:
            delay = CRASH_DELAY_S
        values = {
            "job": row.id,
            "new_state": JobState.DELAYED if delay else JobState.WAITING,
            "begun_attempts": row.attempts - 1 if uncounted and row.begun else row.attempts,
            "due": moment + timedelta(seconds=delay) if delay else min(row.created_at, moment),
            "now": moment,
        }
        connection.execute(_RELEASE, values)


def release_all_jobs(connection: Connection, moment: datetime) -> None:
    """Let the leases of all running jobs end now, because no owner is alive."""
    running = update(inbox).where(_jobs.state == JobState.RUNNING)
    connection.execute(running.values(due_at=moment, due_set_at=moment))


def rebase_clock(connection: Connection, moment: datetime) -> int:
    """Let a batch of delays and leases begin now that were computed by a clock ahead of ours. Return how many."""
    ahead = moment + timedelta(seconds=CLOCK_TOLERANCE_S)
    query = (
        select(_jobs.id, _jobs.due_at, _jobs.due_set_at)
        .where(_jobs.state.in_((JobState.DELAYED, JobState.RUNNING)), _jobs.due_set_at > ahead)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    for row in rows:
        values = {"job": row.id, "due": moment + (row.due_at - row.due_set_at), "now": moment}
        connection.execute(_REBASE, values)
    return len(rows)
