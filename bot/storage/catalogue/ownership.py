"""Which workspace owns a database: what the command line made is local until a workspace gets it."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from bot.domain.catalogue import Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import DatabaseExists
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.catalogue.origins import imported_from_slack
from bot.storage.catalogue.rows import bump_revision, database_id_of, lock_in_back_ends
from bot.storage.catalogue.texts.origin_words import index_images
from bot.storage.catalogue.visibility import record_channels
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import (
    database_channels,
    databases,
    embedded_databases,
    hosted_databases,
    image_origins,
    workspaces,
)

# The back ends' rows change as well, so that a database is never in two workspaces.
_TABLES = (databases, embedded_databases, hosted_databases)
_PLACE = ("slack_file", "slack_channel", "slack_message", "slack_permalink")

MAX_NAME = 64
"""Characters of a database's name."""


def adopt_local(connection: Connection, workspace: WorkspaceId) -> None:
    """Give all local databases to a workspace, except those whose names it uses already."""
    taken: set[str] = set()
    for table in _TABLES:
        taken.update(connection.execute(select(table.c.name).where(table.c.workspace == workspace)).scalars())
    for table in _TABLES:
        moving = (table.c.workspace == LOCAL_WORKSPACE) & table.c.name.not_in(taken)
        connection.execute(update(table).where(moving).values(workspace=workspace))


def forget_slack(connection: Connection, key: DatabaseKey, limit: int) -> int:
    """Take what came from Slack out of up to ``limit`` origins that the operator imported. Return how many had any.

    Who said what, and where, is deleted. An image from a closed conversation stays hidden from everybody in Slack.
    """
    database_id = bump_revision(connection, key)
    rows = connection.execute(imported_from_slack(database_id).limit(limit)).all()
    by_kind: dict[ChannelKind | None, list[int]] = defaultdict(list)
    for row in rows:
        by_kind[_closed_kind(row)].append(row.id)
    for kind, ids in by_kind.items():
        values = dict.fromkeys(_PLACE, None if kind is None else "")
        values |= {"author": "", "note": "", "source_name": "", "slack_kind": kind and str(kind)}
        values["source"] = str(OriginSource.IMPORT)
        for some in in_batches(ids):
            connection.execute(update(image_origins).where(image_origins.c.id.in_(some)).values(values))
        slack = None if kind is None else SlackOrigin("", "", "", kind=kind)
        record_channels(connection, database_id, [Origin(OriginSource.IMPORT, datetime.now(UTC), slack=slack)])
    index_images(connection, sorted({row.image_id for row in rows}))
    return len(rows)


def _closed_kind(row: Row[Any]) -> ChannelKind | None:
    """Return the kind of the conversation that an origin is from, or None if everybody in the workspace can read it."""
    if row.slack_file is None or row.slack_kind == ChannelKind.PUBLIC:
        return None
    # Rows without a kind are from the first versions.
    return ChannelKind(row.slack_kind or ChannelKind.PRIVATE)


def return_to_operator(connection: Connection, key: DatabaseKey, revision: int) -> DatabaseKey | None:
    """Make a database local again, without Slack's channels, and return its key. Raises UnknownDatabase.

    If its name is taken, the database gets a number. Return None, and do nothing, if it has another revision or
    anything that came from Slack.
    """
    lock_in_back_ends(connection, key)
    database_id = database_id_of(connection, key, update_lock=True)
    if connection.execute(select(databases.c.revision).where(databases.c.id == database_id)).scalar_one() != revision:
        return None
    if connection.execute(imported_from_slack(database_id).limit(1)).first() is not None:
        return None
    for number in count(1):
        suffix = f"_{number}" if number > 1 else ""
        local = DatabaseKey(LOCAL_WORKSPACE, DatabaseName(f"{key.name[: MAX_NAME - len(suffix)]}{suffix}"))
        with contextlib.suppress(DatabaseExists):
            move_database(connection, key, local)
            break
    connection.execute(update(databases).where(databases.c.id == database_id).values(created_by=""))
    from_slack = (database_channels.c.database_id == database_id) & (database_channels.c.channel != "")
    connection.execute(delete(database_channels).where(from_slack))
    return local


def move_database(connection: Connection, key: DatabaseKey, new: DatabaseKey) -> None:
    """Give a database another workspace or name. Raises UnknownDatabase, and DatabaseExists if the new key is taken."""
    lock_in_back_ends(connection, key)
    database_id_of(connection, key, update_lock=True)
    for table in _TABLES:
        taken = (table.c.workspace == new.workspace) & (table.c.name == str(new.name))
        if connection.execute(select(table.c.id).where(taken)).first() is not None:
            raise DatabaseExists(new.name)
    for table in _TABLES:
        moving = (table.c.workspace == key.workspace) & (table.c.name == str(key.name))
        connection.execute(update(table).where(moving).values(workspace=new.workspace, name=str(new.name)))


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
