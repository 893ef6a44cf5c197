"""Workspaces: which are connected, which organisation they belong to, and which own a database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from bot.domain.identifiers import WorkspaceId
from bot.storage.catalogue.ownership import adopt_local
from bot.storage.removals.tombstones import is_tombstone
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import databases, workspaces


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


def record_workspace(
    connection: Connection, workspace: WorkspaceId, enterprise: str, now: datetime, *, adopts_local: bool
) -> None:
    """Record a connected workspace. With ``adopts_local``, it gets the local databases if it is the only one."""
    take_advisory_locks(connection, "workspaces")
    known = set(connection.execute(select(workspaces.c.id)).scalars())
    if workspace not in known:
        connection.execute(insert(workspaces).values(id=workspace, enterprise=enterprise, connected_at=now))
    elif enterprise:
        connection.execute(update(workspaces).where(workspaces.c.id == workspace).values(enterprise=enterprise))
    if adopts_local and not known - {workspace}:
        adopt_local(connection, workspace)
