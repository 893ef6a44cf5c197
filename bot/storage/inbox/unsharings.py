"""Unsharings: files that were taken out of messages, and where Slack said afterwards that they still are."""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, insert, select

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Unsharing
from bot.storage.sql.schema.tables import inbox, unshared_files

_columns = unshared_files.c


def record_unsharing(connection: Connection, job: int, workspace: WorkspaceId, unsharing: Unsharing) -> None:
    """Record what a job found out about an unsharing, instead of what an earlier attempt did."""
    connection.execute(delete(unshared_files).where(_columns.job_id == job))
    if connection.execute(select(inbox.c.id).where(inbox.c.id == job)).first() is None:
        # An uninstall has deleted the job.
        return
    kept = {"messages": sorted(unsharing.messages), "channels": sorted(unsharing.channels)}
    row = {"job_id": job, "workspace": workspace, "file": unsharing.file, "channel": unsharing.channel}
    connection.execute(insert(unshared_files), {**row, "moment": unsharing.moment, "kept": json.dumps(kept)})


def has_unsharing(connection: Connection, workspace: WorkspaceId, file: str, channel: str, message: str) -> bool:
    """Return whether a file was taken out of a message, as far as recorded unsharings tell."""
    of_file = select(unshared_files).where(_columns.workspace == workspace, _columns.file == file)
    for row in connection.execute(of_file):
        kept = json.loads(row.kept)
        messages = frozenset((place, ts) for place, ts in kept["messages"])
        if Unsharing(file, row.moment, row.channel, messages, kept["channels"]).ends(channel, message):
            return True
    return False
