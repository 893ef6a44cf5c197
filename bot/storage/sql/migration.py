"""Brings the tables up to date at start-up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from bot.domain.errors import BackendRefused
from bot.storage.sql import postgres
from bot.storage.sql.advisory_locks import take_advisory_locks

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0005"

TOO_NEW = "A newer vsearch has written this data, and this one can't read it: install the newest."


def configuration(connection: Connection) -> Config:
    """What Alembic needs to work on ``connection``, inside its transaction."""
    from alembic.config import Config  # noqa: PLC0415 - half a second that most starts do without

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision. Processes take turns at it, so a second one finds it done.

    Raises BackendRefused for tables of a newer program.
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
        if revision_of(connection) != HEAD:
            from alembic import command  # noqa: PLC0415

            command.upgrade(configuration(connection), HEAD)


def revision_of(connection: Connection) -> str | None:
    """Of the tables; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
