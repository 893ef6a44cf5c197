"""Databases that are being deleted: their rows get a workspace that nobody can name, and are deleted in batches.

The name is free again at once, and no query by workspace and name finds the rows. They are the record of the work that
is left, so that any process can continue after a crash.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, update

TOMBSTONE_PREFIX = "deleting:"
"""Prefix of the workspaces of deleted databases. Slack's ids, "local" and "api:…" never begin like this."""

WHOLE_PREFIX = f"{TOMBSTONE_PREFIX}whole:"
"""The same, for a database whose hosted counterpart is deleted as a whole."""

INLINE_ROWS = 25
"""Databases of at most this size are deleted at once, in the transaction that marks larger ones."""

TARGET_S = 0.015
"""Time that the statements of one batch should take. Others wait for the writer as long, and for the commit."""

_FEWEST_ROWS, _MOST_ROWS, _GROWTH = 10, 500, 2


def is_tombstone(table: Table) -> ColumnElement[bool]:
    """Return the condition for rows of databases that are being deleted."""
    return table.c.workspace.startswith(TOMBSTONE_PREFIX, autoescape=True)


def mark_deleted(connection: Connection, table: Table, row_id: int, *, whole: bool = False) -> None:
    """Hide a database. ``whole`` is for the ledger: no image needs a deletion of its own at the service."""
    workspace = f"{WHOLE_PREFIX if whole else TOMBSTONE_PREFIX}{row_id}"
    connection.execute(update(table).where(table.c.id == row_id).values(workspace=workspace))


class BatchSize:
    """Chooses the number of rows of the next batch, so that each takes about TARGET_S seconds."""

    def __init__(self) -> None:
        self._rows = float(INLINE_ROWS)

    @property
    def rows(self) -> int:
        """The number of rows of the next batch."""
        return int(self._rows)

    def record(self, rows: int, seconds: float) -> None:
        """Adapt to a batch that took this long."""
        if rows:
            ideal = rows * TARGET_S / max(seconds, 1e-6)
            self._rows = max(_FEWEST_ROWS, min(ideal, self._rows * _GROWTH, _MOST_ROWS))
