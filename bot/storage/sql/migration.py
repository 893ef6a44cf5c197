"""Migrate the tables to the newest revision at start-up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Engine, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, text

from bot.domain.errors import BackendRefused
from bot.storage.sql import postgres
from bot.storage.sql.locks.advisory import take_advisory_locks

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0025"
"""The newest revision in ``migrations/versions``."""

# Alembic's own table.
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

TOO_NEW = "A newer vsearch has written this data, and this one can't read it: install the newest."


def configuration(connection: Connection) -> Config:
    """Return an Alembic configuration that runs on ``connection``, inside its transaction."""
    from alembic.config import Config  # noqa: PLC0415 - Alembic takes 90 ms, and most starts don't migrate

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision. A lock makes other processes wait; they find the work done.

    Raises BackendRefused if a newer version of the program has migrated the tables.
    """
    with engine.connect() as connection, connection.begin():
        revision = revision_of(connection)
        if revision == HEAD:
            return
        if revision is not None and revision > HEAD:
            raise BackendRefused(TOO_NEW)
    with engine.execution_options(immediate=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            postgres.disable_timeouts(connection)
        take_advisory_locks(connection, "migration")
        if connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
            _create_tables(connection)
        elif revision_of(connection) != HEAD:
            from alembic import command  # noqa: PLC0415 - as above

            command.upgrade(configuration(connection), HEAD)


def _create_tables(connection: Connection) -> None:
    """Create the newest tables in an empty SQLite file, which takes a tenth of the time of all revisions.

    PostgreSQL runs the revisions, because they also set how columns are stored, which the schema does not say.
    """
    from bot.storage.sql.schema.tables import metadata  # noqa: PLC0415 - most starts create no tables

    metadata.create_all(connection, checkfirst=False)
    _VERSION.create(connection)
    connection.execute(insert(_VERSION).values(version_num=HEAD))


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables; None if there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
