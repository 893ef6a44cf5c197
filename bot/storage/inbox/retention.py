"""Which jobs are deleted in the end: those that finished long ago, and those of a workspace that left."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Delete, delete, select

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import JobKind
from bot.storage.inbox.rows import JobState
from bot.storage.sql.schema.tables import inbox, inbox_files

PURGE_BATCH = 500
"""Jobs deleted in one transaction, so that nothing else waits long for the write lock."""

_jobs, _files = inbox.c, inbox_files.c


def delete_finished(before: datetime) -> Delete:
    """Return the statement that deletes a batch of jobs that finished before a moment."""
    old = select(_jobs.id).where(_jobs.finished_at < before).limit(PURGE_BATCH)
    return delete(inbox).where(_jobs.id.in_(old))


def delete_of_workspace(workspace: WorkspaceId) -> Delete:
    """Return the statement that deletes a batch of a workspace's jobs, except running ones of kind UNINSTALL."""
    uninstalling = (_jobs.kind == JobKind.UNINSTALL) & (_jobs.state == JobState.RUNNING)
    # By the files, of which each job has one, because their index begins with the workspace.
    some = (
        select(_files.job_id)
        .join_from(inbox_files, inbox)
        .where(_files.workspace == workspace, ~uninstalling)
        .limit(PURGE_BATCH)
    )
    return delete(inbox).where(_jobs.id.in_(some))
