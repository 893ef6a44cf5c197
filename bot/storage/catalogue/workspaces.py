"""Workspaces: which are connected, which organisation they belong to, and which own a database."""

from __future__ import annotations

from sqlalchemy import Connection, select

from bot.domain.identifiers import WorkspaceId
from bot.storage.removals.tombstones import is_tombstone
from bot.storage.sql.schema.database_tables import databases, workspaces


def read_workspaces(connection: Connection) -> tuple[WorkspaceId, ...]:
    """Return the workspaces that are connected or own a database."""
    owners = select(databases.c.workspace).where(~is_tombstone(databases))
    query = select(workspaces.c.id).union(owners)
    return tuple(sorted(WorkspaceId(name) for name in connection.execute(query).scalars()))


def read_connected(connection: Connection) -> tuple[tuple[WorkspaceId, str], ...]:
    """Return the connected workspaces, each with its Enterprise Grid organisation (empty if it has none)."""
    query = select(workspaces.c.id, workspaces.c.enterprise).order_by(workspaces.c.id)
    return tuple((WorkspaceId(row.id), row.enterprise) for row in connection.execute(query))


def read_workspaces_of(connection: Connection, enterprise: str) -> tuple[WorkspaceId, ...]:
    """Return the connected workspaces of an Enterprise Grid organisation."""
    query = select(workspaces.c.id).where(workspaces.c.enterprise == enterprise).order_by(workspaces.c.id)
    return tuple(WorkspaceId(name) for name in connection.execute(query).scalars())
