"""Which workspace owns a database: what the command line made is local until a workspace gets it."""

from __future__ import annotations

import contextlib
from itertools import count

from sqlalchemy import Connection, delete, select, update

from bot.domain.errors import DatabaseExists
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.catalogue.rows import database_id_of, lock_in_back_ends
from bot.storage.sql.schema.tables import database_channels, databases, embedded_databases, hosted_databases

# The back ends' rows change as well, so that a database is never in two workspaces.
_TABLES = (databases, embedded_databases, hosted_databases)

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


def return_to_operator(connection: Connection, key: DatabaseKey, revision: int) -> DatabaseKey | None:
    """Make a database local again, without Slack's channels, and return its key. Raises UnknownDatabase.

    If its name is taken, the database gets a number. Return None, and do nothing, if it has another revision.
    """
    lock_in_back_ends(connection, key)
    database_id = database_id_of(connection, key, update_lock=True)
    if connection.execute(select(databases.c.revision).where(databases.c.id == database_id)).scalar_one() != revision:
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
