"""Databases that are being deleted: their rows get a workspace that no request can have, and are deleted in batches.

The name is free again at once, and no query by workspace and name finds the rows. They are the record of the work that
is left, so that any process can continue after a crash.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

TOMBSTONE_PREFIX = "deleting:"
"""Prefix of the workspaces of deleted databases. Slack's ids, "local" and "api:…" never begin like this."""

WHOLE_PREFIX = f"{TOMBSTONE_PREFIX}whole:"
"""The same, for a database whose hosted counterpart is deleted as a whole."""

INLINE_ROWS = 25
"""Databases of at most this size are deleted at once, in the transaction that marks larger ones."""


def is_tombstone(table: Table) -> ColumnElement[bool]:
    """Return the condition for rows of databases that are being deleted."""
    return table.c.workspace.startswith(TOMBSTONE_PREFIX, autoescape=True)


def mark_deleted(connection: Connection, table: Table, row_id: int, *, whole: bool = False) -> None:
    """Hide a database. ``whole`` is for the ledger: no image needs a deletion of its own at the service."""
    workspace = f"{WHOLE_PREFIX if whole else TOMBSTONE_PREFIX}{row_id}"
    connection.execute(update(table).where(table.c.id == row_id).values(workspace=workspace))


def find_deleted(connection: Connection, table: Table) -> int | None:
    """Return the row id of a database that is being deleted; None if there is none."""
    return connection.execute(select(table.c.id).where(is_tombstone(table)).limit(1)).scalar()


def finish_batch(connection: Connection, table: Table, row_id: int, deleted: int, limit: int) -> int:
    """Delete a database whose last images were in this batch. Return how many rows the batch had, at least one."""
    if deleted < limit:
        connection.execute(delete(table).where(table.c.id == row_id))
    return max(deleted, 1)
