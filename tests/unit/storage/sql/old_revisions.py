"""Rows in the tables of old revisions, and the commands that migrate between revisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alembic import command
from sqlalchemy import Engine, MetaData, Table, insert, inspect, select

from bot.domain.catalogue import OriginSource
from bot.domain.identifiers import WorkspaceId
from bot.storage.sql.migration import configuration
from bot.storage.sql.schema.tables import (
    databases,
    embedded_databases,
    embedded_images,
    embedded_vectors,
)

TEAM = WorkspaceId("T1")
BEGINNING = datetime(2026, 1, 2, tzinfo=UTC)


def upgrade(engine: Engine, revision: str) -> None:
    with engine.execution_options(immediate=True).begin() as connection:
        command.upgrade(configuration(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    with engine.execution_options(immediate=True).begin() as connection:
        command.downgrade(configuration(connection), revision)


def fill_first_version(engine: Engine) -> None:
    """Insert rows into the tables of the first revision."""
    database = {"id": 1, "workspace": TEAM, "name": "parts", "created_at": BEGINNING, "created_by": "U1", "revision": 2}
    image = {
        "database_id": 1,
        "entity": "valve",
        "note": "",
        "source_digest": "0" * 64,
        "fingerprint": b"",
        "width": 1,
        "height": 1,
        "created_at": BEGINNING,
        "added_by": "",
        "source_name": "",
    }
    shared = {"slack_file": "F1", "slack_channel": "C1", "slack_message": "1.0", "slack_permalink": ""}
    with engine.execution_options(immediate=True).begin() as connection:
        images = Table("images", MetaData(), autoload_with=connection)
        connection.execute(insert(databases), database)
        connection.execute(insert(images), {**image, "data_id": "imported", "digest": "1" * 64})
        connection.execute(insert(images), {**image, **shared, "data_id": "shared", "digest": "2" * 64})


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


OLD_NAMES = {
    "hosted_chores": "hosted_deletions",
    "embedded_sketches": "embedded_local_features",
    "moves": "transfers",
}
"""Tables that revision 0005 renames, and their new names."""


def fill_old_tables(engine: Engine) -> None:
    """Insert rows into the tables that revision 0005 renames, and what they refer to."""
    vector = {"id": 7, "image_id": 5, "database_id": 3, "model_id": "m", "embedding": b"e", "fingerprint": b"f"}
    image = {"id": 5, "database_id": 3, "data_id": "d", "entity": "valve", "note": ""}
    row: dict[str, object]
    with engine.execution_options(immediate=True).begin() as connection:
        database = {"id": 3, "workspace": TEAM, "name": "parts", "revision": 1, "removals": 0}
        connection.execute(insert(embedded_databases), database)
        connection.execute(insert(embedded_images), {**image, "created_at": BEGINNING, "updated_at": BEGINNING})
        connection.execute(insert(embedded_vectors), vector)
        old = MetaData()
        for name, row in {
            "embedded_sketches": {"vector_id": 7, "sketch": b"orb"},
            "hosted_chores": {"upstream": "up", "entity": "valve", "due_at": BEGINNING},
        }.items():
            connection.execute(insert(Table(name, old, autoload_with=connection)), row)
        connection.exec_driver_sql(
            "CREATE TABLE moves (id INTEGER PRIMARY KEY, source VARCHAR NOT NULL, marks TEXT NOT NULL,"
            " positions TEXT NOT NULL, begun_at TIMESTAMP NOT NULL, finished_at TIMESTAMP)"
        )
        connection.exec_driver_sql(
            "INSERT INTO moves VALUES (1, 'data', '{}', '{}', '2026-01-02 00:00:00', '2026-01-03 00:00:00')"
        )


OLD_IMAGES = (
    # data id, note, author, file name, Slack file, channel, message, kind, and the origin's source
    ("shared", "DN 25", "U1", "valve.jpg", "F1", "C1", "1.0", "private", OriginSource.MESSAGE),
    ("chosen", "", "U2", "pump.png", "F2", "", "", "public", OriginSource.FORM),
    ("named", "from the web", "U3", "a.png", None, None, None, None, OriginSource.URL),
    ("imported", "", "", "b.jpg", None, None, None, None, OriginSource.COMMAND_LINE),
)
"""Images of revision 0005, and the source that each has afterwards."""


def fill_old_images(engine: Engine) -> None:
    """Insert images of revision 0005, which has one origin for each, and the embedded engine's rows."""
    with engine.execution_options(immediate=True).begin() as connection:
        old = MetaData()
        images, embedded = (Table(name, old, autoload_with=connection) for name in ("images", "embedded_images"))
        database = {
            "id": 1,
            "workspace": TEAM,
            "name": "parts",
            "created_at": BEGINNING,
            "created_by": "",
            "revision": 1,
        }
        connection.execute(insert(databases), database)
        for number, workspace in ((3, TEAM), (4, "api:key")):
            owner = {"id": number, "workspace": workspace, "name": "parts", "revision": 1, "removals": 0}
            connection.execute(insert(embedded_databases), owner)
        for number, (data_id, note, author, name, file, channel, message, kind, _) in enumerate(OLD_IMAGES):
            at = BEGINNING + timedelta(days=number)
            slack = {"slack_file": file, "slack_channel": channel, "slack_message": message, "slack_kind": kind}
            slack["slack_permalink"] = file and "https://example.slack.com/p1"
            pixels = {"digest": str(number) * 64, "source_digest": "s", "fingerprint": b"", "width": 1, "height": 1}
            row = {"database_id": 1, "data_id": data_id, "entity": "valve", "note": note, "created_at": at}
            connection.execute(insert(images), row | pixels | slack | {"added_by": author, "source_name": name})
            connection.execute(insert(embedded), row | {"database_id": 3, "updated_at": at})
        of_client = {"data_id": "shared", "entity": "valve", "created_at": BEGINNING, "updated_at": BEGINNING}
        connection.execute(insert(embedded), of_client | {"database_id": 4, "note": "of a client"})


def all_rows(engine: Engine, name: str) -> list[dict[str, object]]:
    with engine.connect() as connection:
        table = Table(name, MetaData(), autoload_with=connection)
        return [dict(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]
