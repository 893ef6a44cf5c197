"""The list of databases, read without opening the storage. Opening it loads 40 modules and takes 300 ms of CPU time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendError
from bot.domain.identifiers import WorkspaceId
from bot.storage.catalogue.workspaces import read_workspaces
from bot.storage.sql import sqlite
from bot.storage.sql.migration import HEAD, revision_of
from bot.storage.sql.schema.database_tables import databases, images
from bot.storage.sql.schema.embedded_tables import embedded_databases
from bot.storage.transfer.log import refuse_partial_transfer

ChooseWorkspace = Callable[[Sequence[WorkspaceId]], WorkspaceId]


@dataclass(frozen=True, slots=True)
class ListedDatabase:
    """A database in the list. ``is_embedded``: the embedded engine has it, with this stored ``calibration``."""

    name: str
    images: int
    ids: int
    created_at: datetime
    is_embedded: bool
    calibration: str | None


def read_sqlite(data_dir: Path, database_url: str | None, choose: ChooseWorkspace) -> tuple[ListedDatabase, ...] | None:
    """Return the databases of the workspace that ``choose`` picks among those that there are, by name.

    Return None if the storage has to be opened first: it is no SQLite file, there is none, its tables are older or
    newer, a transfer to it is unfinished, or it can't be read. Opening it migrates it, or says what is wrong. Blocks.
    """
    if database_url and make_url(database_url).get_backend_name() != "sqlite":
        return None
    url = sqlite.address(data_dir, database_url)
    if not Path(str(url.database)).is_file():
        return None
    engine = sqlite.create(url, 1)
    try:
        with engine.connect() as connection, connection.begin():
            if revision_of(connection) != HEAD:
                return None
            refuse_partial_transfer(connection)
            return read_databases(connection, choose)
    except (SQLAlchemyError, BackendError):
        return None
    finally:
        engine.dispose()


def read_databases(connection: Connection, choose: ChooseWorkspace) -> tuple[ListedDatabase, ...]:
    """Return the databases of the workspace that ``choose`` picks among those that there are, by name."""
    workspace = choose(read_workspaces(connection))
    rows = connection.execute(_LISTED.where(databases.c.workspace == workspace)).all()
    # Sorted here, because the order of texts in SQL depends on the database's collation.
    return tuple(sorted((ListedDatabase(*row) for row in rows), key=lambda database: database.name))


_of_database = images.c.database_id == databases.c.id
_LISTED = select(
    databases.c.name,
    select(func.count()).select_from(images).where(_of_database).scalar_subquery(),
    select(func.count(images.c.entity_key.distinct())).where(_of_database).scalar_subquery(),
    databases.c.created_at,
    embedded_databases.c.id.is_not(None),
    embedded_databases.c.calibration,
).join_from(
    databases,
    embedded_databases,
    (embedded_databases.c.workspace == databases.c.workspace) & (embedded_databases.c.name == databases.c.name),
    isouter=True,
)
