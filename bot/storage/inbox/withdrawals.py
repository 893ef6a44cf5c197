"""Withdrawals: files that were deleted in Slack, and jobs that must not process them any more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, select, tuple_, update

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import ANY, JobKind, deletion_key
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import inbox, inbox_files

_jobs, _files = inbox.c, inbox_files.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What was deleted: a file, a message or a whole channel. ``kept`` are messages that still have the file.

    Raises ValueError unless it names one of them.
    """

    workspace: WorkspaceId
    file: str
    channel: str
    message: str
    whole_channel: bool
    kept: Collection[tuple[str, str]]

    def __post_init__(self) -> None:
        """Refuse a withdrawal of everything."""
        if not self.file and not (self.channel and (self.message or self.whole_channel)):
            raise ValueError("Name the file or the message to withdraw.")

    def apply(self, connection: Connection) -> None:
        """Withdraw the files. If no file of a message is left, delete its text too."""
        wanted = self._conditions()
        jobs = select(_files.job_id).where(*wanted)
        still_wanted = exists().where(_files.job_id == _jobs.id, _files.withdrawn.is_(False))
        emptied = update(inbox).where(_jobs.id.in_(jobs), _jobs.kind == JobKind.SHARE, ~still_wanted)
        _wait_for_adds(connection, self.workspace, self.file, self.channel)
        # Without the lock, two calls that each withdraw one file of a message would each see the other file as wanted.
        connection.execute(select(_jobs.id).where(_jobs.id.in_(jobs)).order_by(_jobs.id).with_for_update())
        connection.execute(update(inbox_files).where(*wanted).values(withdrawn=True))
        connection.execute(emptied.values(payload=""))

    def _conditions(self) -> list[ColumnElement[bool]]:
        wanted = [_files.workspace == self.workspace]
        for column, value in ((_files.file, self.file), (_files.channel, self.channel), (_files.message, self.message)):
            if value:
                wanted.append(column == value)
        if self.kept:
            wanted.append(tuple_(_files.channel, _files.message).not_in(sorted(self.kept)))
        return wanted


def is_wanted(connection: Connection, job: int, file: str) -> bool:
    """Return whether the file of a job was neither withdrawn nor deleted. Call it in a write."""
    # A row lock, so that no withdrawal happens between this check and the add that follows it.
    query = select(inbox_files).where(_files.job_id == job, _files.file == file).with_for_update(read=True)
    row = connection.execute(query).first()
    if row is None or row.withdrawn:
        return False
    return not _has_deletion(connection, WorkspaceId(row.workspace), file, row.channel, row.message)


def is_deleted(connection: Connection, workspace: WorkspaceId, file: str, channel: str, message: str) -> bool:
    """Return whether the deletion of a file, of its message or of its channel has arrived."""
    _wait_for_adds(connection, workspace, file, channel)
    return _has_deletion(connection, workspace, file, channel, message)


def _wait_for_adds(connection: Connection, workspace: WorkspaceId, file: str, channel: str) -> None:
    """Let adds of a file and withdrawals of it run one after the other.

    Either the add sees the deletion, or the deletion, which withdraws first, finds what was added.
    """
    places = (("file", file), ("channel", channel))
    take_advisory_locks(connection, "deletion", [f"{workspace}\n{kind}\n{name}" for kind, name in places if name])


def _has_deletion(connection: Connection, workspace: WorkspaceId, file: str, channel: str, message: str) -> bool:
    keys = [(deletion_key(), ANY, file)]
    if channel:
        keys += [(deletion_key(channel), ANY, ANY), (deletion_key(channel), message or ANY, ANY)]
    place = tuple_(_files.channel, _files.message, _files.file)
    query = select(_files.job_id).where(_files.workspace == workspace, place.in_(keys)).limit(1)
    return connection.execute(query).first() is not None
