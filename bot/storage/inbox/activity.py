"""What waits, failed or was refused in a workspace. Implements ``storage.ports.home.JobOverview``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, case, exists, func, or_, select, update

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import ChannelJobs, ChannelRefusals, Job, JobKind, RefusedFile, WorkspaceJobs
from bot.storage.inbox.rows import UNFINISHED, JobState
from bot.storage.removals.rows import RemovalKind, RemovalState
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import image_origins, inbox, inbox_files, pending_removals, workspaces

MAX_CHANNELS = 50
MAX_QUESTIONS = 20
"""Unfinished messages to the bot that are read. Imports of tables are among them, and rare."""

REFUSED_PER_CHANNEL = 5
"""Refused files that are read of each channel."""

MAX_REASON = 300
"""Characters of a reason that are kept."""

MENTION = "mention:"
"""Prefix of the channel of jobs for messages to the bot."""

_jobs, _files, _removals, _origins = inbox.c, inbox_files.c, pending_removals.c, image_origins.c


class SqlJobOverview:
    """Reads the inbox and the pending removals of one workspace, and records refused files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, workspace: WorkspaceId, failed_since: datetime) -> WorkspaceJobs:
        """Return what waits now, and what failed or was refused since a moment."""

        def work(connection: Connection) -> WorkspaceJobs:
            return WorkspaceJobs(
                _channels(connection, workspace, failed_since),
                _questions(connection, workspace),
                _failing_jobs(connection, workspace) + _failing_removals(connection, workspace),
                _refusals(connection, workspace, failed_since),
            )

        return await self._database.read(work)

    async def record_refusals(self, job: Job, reasons: Mapping[str, str], link: str) -> None:
        """Replace which files of a share could not be added, with a sentence for each, and its message's permalink."""

        def work(connection: Connection) -> None:
            of_job = update(inbox_files).where(_files.job_id == job.id, _files.withdrawn.is_(False))
            connection.execute(of_job.where(_files.refusal.is_not(None)).values(refusal=None, permalink=None))
            for file, reason in reasons.items():
                refused = of_job.where(_files.file == file)
                connection.execute(refused.values(refusal=reason[:MAX_REASON], permalink=link))

        await self._database.write(work)


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


def _refusals(connection: Connection, workspace: WorkspaceId, since: datetime) -> tuple[ChannelRefusals, ...]:
    # Somebody may have added the image by hand since.
    is_added = exists().where(
        _origins.slack_file == _files.file,
        _origins.slack_channel == _files.channel,
        _origins.slack_message == _files.message,
    )
    newest_first = (_files.job_id.desc(), _files.file)
    numbered = (
        select(
            _files.channel,
            _files.file,
            _files.refusal,
            _files.permalink,
            _jobs.payload,
            _jobs.created_at,
            func.row_number().over(partition_by=_files.channel, order_by=newest_first).label("place"),
            func.count().over(partition_by=_files.channel).label("total"),
        )
        .join_from(inbox_files, inbox)
        .where(_files.workspace == workspace, _files.refusal.is_not(None), _files.withdrawn.is_(False))
        .where(_jobs.created_at >= since, ~is_added)
        .subquery()
    )
    shown = select(numbered).where(numbered.c.place <= REFUSED_PER_CHANNEL)
    rows = connection.execute(shown.order_by(numbered.c.channel, numbered.c.place)).all()
    return tuple(
        ChannelRefusals(channel, of_channel[0].total, tuple(map(_refused_file, of_channel)))
        for channel, of_channel in ((name, list(group)) for name, group in groupby(rows, lambda row: str(row.channel)))
    )


def _refused_file(row: Row[Any]) -> RefusedFile:
    return RefusedFile(row.channel, row.file, row.refusal, row.permalink or "", row.payload, row.created_at)


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
