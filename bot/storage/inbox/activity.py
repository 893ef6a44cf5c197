"""What waits or failed in a workspace. Implements ``storage.ports.home.JobOverview``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, case, func, or_, select

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import ChannelJobs, JobKind, WorkspaceJobs
from bot.storage.inbox.rows import UNFINISHED, JobState
from bot.storage.removals.rows import RemovalKind, RemovalState
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import inbox, pending_removals, workspaces

MAX_CHANNELS = 50
MAX_QUESTIONS = 20
"""Unfinished messages to the bot that are read. Imports of tables are among them, and rare."""

MENTION = "mention:"
"""Prefix of the channel of jobs for messages to the bot."""

_jobs, _removals = inbox.c, pending_removals.c


class SqlJobOverview:
    """Reads the inbox and the pending removals of one workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, workspace: WorkspaceId, failed_since: datetime) -> WorkspaceJobs:
        """Return what waits now, and what failed since a moment."""

        def work(connection: Connection) -> WorkspaceJobs:
            return WorkspaceJobs(
                _channels(connection, workspace, failed_since),
                _questions(connection, workspace),
                _failing_jobs(connection, workspace) + _failing_removals(connection, workspace),
            )

        return await self._database.read(work)


def _channels(connection: Connection, workspace: WorkspaceId, failed_since: datetime) -> tuple[ChannelJobs, ...]:
    has_failed = (_jobs.state == JobState.FAILED) & (_jobs.finished_at >= failed_since)
    failed = func.sum(case((_jobs.state == JobState.FAILED, 1), else_=0))
    query = (
        select(_jobs.channel, func.count().label("all"), failed.label("failed"))
        .where(_jobs.state.in_((*UNFINISHED, JobState.FAILED)), _jobs.obligation.in_((True, False)))
        .where(_jobs.workspace == workspace, _jobs.kind == JobKind.SHARE)
        .where(or_(_jobs.state != JobState.FAILED, has_failed))
        .group_by(_jobs.channel)
        .order_by(func.count().desc(), _jobs.channel)
        .limit(MAX_CHANNELS)
    )
    return tuple(
        ChannelJobs(row.channel, row.all - int(row.failed), int(row.failed)) for row in connection.execute(query)
    )


def _questions(connection: Connection, workspace: WorkspaceId) -> tuple[str, ...]:
    query = (
        select(_jobs.payload)
        .where(_jobs.state.in_(UNFINISHED), _jobs.obligation.in_((True, False)), _jobs.workspace == workspace)
        .where(_jobs.kind == JobKind.REQUEST, _jobs.channel.startswith(MENTION, autoescape=True))
        .order_by(_jobs.id)
        .limit(MAX_QUESTIONS)
    )
    return tuple(connection.execute(query).scalars())


def _failing_jobs(connection: Connection, workspace: WorkspaceId) -> int:
    is_failing = (_jobs.kind == JobKind.FORGET) & (_jobs.state == JobState.DELAYED)
    query = select(func.count()).select_from(inbox).where(_jobs.workspace == workspace, is_failing)
    return connection.execute(query.where(_jobs.obligation.in_((True, False)))).scalar_one()


def _failing_removals(connection: Connection, workspace: WorkspaceId) -> int:
    """Return how many removals outside SQL failed before. Those of pictures name no workspace."""
    is_failing = (_removals.state != RemovalState.DONE) & (_removals.attempts > 0)
    owners = [workspace]
    if connection.execute(select(func.count()).select_from(workspaces)).scalar_one() <= 1:
        owners.append(WorkspaceId(""))
    query = select(func.count()).select_from(pending_removals)
    query = query.where(_removals.kind.in_(list(RemovalKind)), _removals.workspace.in_(owners), is_failing)
    return connection.execute(query).scalar_one()
