"""The inbox in numbers, for health checks and metrics."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, true

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, JobKind, OpenObligations
from bot.storage.inbox.rows import UNFINISHED
from bot.storage.sql.schema.tables import inbox

_jobs = inbox.c


def read_depth(connection: Connection, workspace: WorkspaceId | None) -> InboxDepth:
    """Return the number of unfinished jobs, of all workspaces or one, and when the oldest was stored."""
    query = select(func.count(), func.min(_jobs.created_at)).where(_jobs.state.in_(UNFINISHED))
    if workspace is not None:
        # Both values of ``obligation``, so that the index is used.
        query = query.where(_jobs.obligation.in_((True, False)), _jobs.workspace == workspace)
    return InboxDepth(*connection.execute(query).one())


def read_obligations(connection: Connection) -> OpenObligations:
    """Return the unfinished jobs that fulfil promises."""
    query = (
        select(_jobs.kind, func.count(), func.min(_jobs.created_at), func.max(_jobs.attempts))
        .where(_jobs.state.in_(UNFINISHED), _jobs.obligation.is_(true()))
        .group_by(_jobs.kind)
    )
    rows = connection.execute(query).all()
    counts = {JobKind(kind): count for kind, count, _, _ in rows}
    return OpenObligations(
        counts, min((row[2] for row in rows), default=None), max((row[3] for row in rows), default=0)
    )
