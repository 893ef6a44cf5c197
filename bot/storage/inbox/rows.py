"""Rows of the inbox: their states, and how they become jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, select, update

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job, JobKind, NewJob
from bot.storage.sql.schema.tables import inbox, inbox_files

REQUEST_PRIORITY_S = 60.0
"""Requests are claimed before shares of the last minute, because somebody waits for the answer."""


class JobState(StrEnum):
    """The state of a row."""

    WAITING = "waiting"
    """Can be claimed now; ``due_at`` is its place among the workspace's jobs."""
    DELAYED = "delayed"
    """Waits until ``due_at`` for another attempt."""
    RUNNING = "running"
    """Leased to its owner until ``due_at``."""
    DONE = "done"
    FAILED = "failed"


UNFINISHED = (JobState.WAITING, JobState.DELAYED, JobState.RUNNING)

_jobs, _files = inbox.c, inbox_files.c

_FILES_OF = (
    select(_files.job_id, _files.file)
    .where(_files.job_id.in_(bindparam("some", expanding=True)))
    .order_by(_files.job_id, _files.file)
)


def held(job: Job) -> Update:
    """Return an update of a job that changes nothing if somebody else has claimed it."""
    return update(inbox).where(_jobs.id == job.id, _jobs.owner == job.owner, _jobs.state == JobState.RUNNING)


def new_row(job: NewJob, moment: datetime, trace: str = "") -> dict[str, Any]:
    """Return the columns of a job to store."""
    return {
        "kind": job.kind,
        "workspace": job.workspace,
        "enterprise": job.enterprise,
        "channel": job.channel,
        "message": job.message,
        "payload": job.payload,
        "state": JobState.WAITING,
        "attempts": 0,
        "answering": False,
        "owner": "",
        "due_at": moment - timedelta(seconds=REQUEST_PRIORITY_S if job.kind is JobKind.REQUEST else 0),
        "created_at": moment,
        "obligation": job.kind.is_obligation,
        "trace": trace or None,
    }


def claimed_jobs(connection: Connection, rows: Sequence[Row[Any]], owner: str) -> tuple[Job, ...]:
    """Return the jobs of claimed rows, with their files."""
    files: dict[int, list[str]] = {row.id: [] for row in rows}
    for job_id, file in connection.execute(_FILES_OF, {"some": list(files)}) if rows else ():
        files[job_id].append(file)
    return tuple(
        Job(
            id=row.id,
            kind=JobKind(row.kind),
            workspace=WorkspaceId(row.workspace),
            enterprise=row.enterprise,
            channel=row.channel,
            message=row.message,
            files=tuple(files[row.id]),
            payload=row.payload,
            attempts=row.attempts,
            answering=row.answering,
            owner=owner,
            created_at=row.created_at,
            trace=row.trace or "",
        )
        for row in rows
    )
