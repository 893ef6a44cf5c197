"""Withdrawals: files that were deleted or unshared in Slack, and jobs that must not process them any more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, exists, select, tuple_, update

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import ANY, JobKind, Unsharing, deletion_key, message_at
from bot.storage.inbox.unsharings import has_unsharing, record_unsharing
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import history_messages, inbox, inbox_files
from bot.storage.sql.sqlite import record_deletion

_jobs, _files, _past = inbox.c, inbox_files.c, history_messages.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What was deleted: a file, a message or a whole channel.

    ``kept`` are messages that still have the file, and ``kept_channels`` channels in which some may. Unless it is 0,
    only messages before ``until``, in seconds since 1970, are meant.

    Raises ValueError unless it names a file, a message or a whole channel.
    """

    workspace: WorkspaceId
    file: str
    channel: str
    message: str
    whole_channel: bool
    kept: Collection[tuple[str, str]] = ()
    kept_channels: Collection[str] = ()
    until: float = 0.0

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
        connection.execute(update(inbox_files).where(*wanted).values(withdrawn=True, refusal=None, permalink=None))
        connection.execute(emptied.values(payload=""))
        if not (self.kept or self.kept_channels or self.until):
            past = delete(history_messages).where(*self._past_messages())
            if connection.execute(past).rowcount:
                record_deletion(connection)

    def _past_messages(self) -> list[ColumnElement[bool]]:
        """Return which messages an import of a channel's history has no more to add.

        One with further files stays. Before a file is added, its deletion is looked up.
        """
        wanted = [_past.workspace == self.workspace]
        if self.channel:
            wanted.append(_past.channel == self.channel)
        if self.message:
            wanted.append(_past.message == self.message)
        if self.file:
            wanted.append(_past.files == f" {self.file} ")
        return wanted

    def _conditions(self) -> list[ColumnElement[bool]]:
        wanted = [_files.workspace == self.workspace]
        for column, value in ((_files.file, self.file), (_files.channel, self.channel), (_files.message, self.message)):
            if value:
                wanted.append(column == value)
        if self.kept:
            wanted.append(tuple_(_files.channel, _files.message).not_in(sorted(self.kept)))
        if self.kept_channels:
            wanted.append(_files.channel.not_in(sorted(self.kept_channels)))
        if self.until:
            # All times of messages have the same length, so their order as texts is that of time.
            wanted.append(_files.message <= message_at(self.until))
        return wanted


def withdraw_unshared(connection: Connection, job: int, workspace: WorkspaceId, unsharing: Unsharing) -> None:
    """Withdraw a file from the messages that lost it, and record the unsharing for shares that arrive later."""
    Withdrawal(
        workspace=workspace,
        file=unsharing.file,
        channel=unsharing.channel,
        message="",
        whole_channel=False,
        kept=unsharing.messages,
        kept_channels=unsharing.channels,
        until=unsharing.moment,
    ).apply(connection)
    record_unsharing(connection, job, workspace, unsharing)


def is_wanted(connection: Connection, job: int, file: str) -> bool:
    """Return whether the file of a job was neither withdrawn nor deleted. Call it in a write."""
    query = select(inbox_files).where(_files.job_id == job, _files.file == file)
    row = connection.execute(query).first()
    if row is None:
        return False
    workspace = WorkspaceId(row.workspace)
    _wait_for_adds(connection, workspace, file, row.channel)
    # A row lock, so that no withdrawal happens between this check and the add that follows it.
    row = connection.execute(query.with_for_update(read=True)).first()
    if row is None or row.withdrawn:
        return False
    return not _has_deletion(connection, workspace, file, row.channel, row.message)


def is_deleted(connection: Connection, workspace: WorkspaceId, file: str, channel: str, message: str) -> bool:
    """Return whether the deletion of a file, its message or its channel has arrived, or its unsharing was handled."""
    _wait_for_adds(connection, workspace, file, channel)
    return _has_deletion(connection, workspace, file, channel, message)


def any_deleted(connection: Connection, workspace: WorkspaceId, places: Collection[tuple[str, str, str]]) -> bool:
    """Return whether one of several files, given with channel and message, was deleted, as ``is_deleted`` says."""
    names = {f"{workspace}\nfile\n{file}" for file, _, _ in places if file}
    names |= {f"{workspace}\nchannel\n{channel}" for _, channel, _ in places if channel}
    # All at once, because two transactions that take them one by one could wait for each other.
    take_advisory_locks(connection, "deletion", sorted(names))
    return any(_has_deletion(connection, workspace, *place) for place in places)


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
    if connection.execute(query).first() is not None:
        return True
    # An unsharing that wasn't handled yet finds what is added.
    return has_unsharing(connection, workspace, file, channel, message)
