"""Tables that record which vectors Milvus has. They exist only where the Milvus back end was opened.

Triggers write them in the transaction that adds or deletes a vector, whichever back end or cleanup does it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    insert,
    inspect,
    literal,
    select,
    text,
)

from bot.storage.sql.schema.columns import ROW_ID, UtcTime
from bot.storage.sql.schema.tables import embedded_vectors

WAITING, STORED, DELETING = 0, 1, 2
"""States of a vector: to be written to Milvus, written, to be deleted from Milvus."""

# A metadata of their own: they are derived, so migrations and data transfers leave them out.
_metadata = MetaData()

milvus_rows = Table(
    "milvus_rows",
    _metadata,
    Column("vector_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("database_id", ROW_ID, nullable=False),
    Column("model_id", String(255), nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("again", Boolean, nullable=False),
    Column("claimed_until", UtcTime),
)
_PENDING = milvus_rows.c.state != STORED
Index("ix_milvus_rows_pending", milvus_rows.c.vector_id, sqlite_where=_PENDING, postgresql_where=_PENDING)
Index("ix_milvus_rows_pending_database", milvus_rows.c.database_id, sqlite_where=_PENDING, postgresql_where=_PENDING)
Index("ix_milvus_rows_model_id", milvus_rows.c.model_id)

# Searches of a database ask Milvus to have seen everything up to this timestamp, which Milvus gave its last write.
milvus_databases = Table(
    "milvus_databases",
    _metadata,
    Column("database_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("written_until", BigInteger, nullable=False),
)

# How many vectors of a model were deleted that may still be in Milvus's files, and when to compact those.
milvus_compactions = Table(
    "milvus_compactions",
    _metadata,
    Column("model_id", String(255), primary_key=True),
    Column("deletions", BigInteger, nullable=False),
    Column("due_at", UtcTime, nullable=False),
)

# The numbers are WAITING and DELETING.
_SQLITE_ADDED = """
CREATE TRIGGER IF NOT EXISTS milvus_added AFTER INSERT ON embedded_vectors BEGIN
  INSERT OR REPLACE INTO milvus_rows VALUES (NEW.id, NEW.database_id, NEW.model_id, 0, 0, NULL);
END
"""
_SQLITE_DELETED = """
CREATE TRIGGER IF NOT EXISTS milvus_deleted AFTER DELETE ON embedded_vectors BEGIN
  UPDATE milvus_rows SET state = 2 WHERE vector_id = OLD.id;
END
"""
_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION milvus_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO milvus_rows VALUES (NEW.id, NEW.database_id, NEW.model_id, 0, false, NULL)
    ON CONFLICT (vector_id) DO UPDATE
      SET database_id = NEW.database_id, model_id = NEW.model_id, state = 0, again = true;
  ELSE
    UPDATE milvus_rows SET state = 2 WHERE vector_id = OLD.id;
  END IF;
  RETURN NULL;
END $$
"""
_POSTGRES_TRIGGER = """
CREATE OR REPLACE TRIGGER milvus_queue AFTER INSERT OR DELETE ON embedded_vectors
FOR EACH ROW EXECUTE FUNCTION milvus_queue()
"""
_SQLITE_TRIGGERS = (_SQLITE_ADDED, _SQLITE_DELETED)
_POSTGRES_TRIGGERS = (_POSTGRES_FUNCTION, _POSTGRES_TRIGGER)
_POSTGRES_DROPS = (
    "DROP TRIGGER IF EXISTS milvus_queue ON embedded_vectors",
    "DROP FUNCTION IF EXISTS milvus_queue()",
)
_SQLITE_DROPS = ("DROP TRIGGER IF EXISTS milvus_added", "DROP TRIGGER IF EXISTS milvus_deleted")


def exist(connection: Connection) -> bool:
    """Return whether the tables and triggers are there."""
    return inspect(connection).has_table(milvus_rows.name)


def create(connection: Connection) -> None:
    """Create the tables and triggers, if they are missing. The caller holds a lock."""
    _metadata.create_all(connection)
    triggers = _POSTGRES_TRIGGERS if connection.dialect.name == "postgresql" else _SQLITE_TRIGGERS
    for statement in triggers:
        connection.execute(text(statement))


def drop(connection: Connection) -> None:
    """Drop the tables and triggers."""
    drops = _POSTGRES_DROPS if connection.dialect.name == "postgresql" else _SQLITE_DROPS
    for statement in drops:
        connection.execute(text(statement))
    _metadata.drop_all(connection)


def queue_missing(connection: Connection, after: int, limit: int) -> tuple[int, int]:
    """Queue vectors with ids above ``after`` that were added before the triggers. Return how many, and the last id."""
    vectors, rows = embedded_vectors.c, milvus_rows.c
    query = (
        select(vectors.id)
        .outerjoin_from(embedded_vectors, milvus_rows, rows.vector_id == vectors.id)
        .where(vectors.id > after, rows.vector_id.is_(None))
        .order_by(vectors.id)
        .limit(limit)
    )
    ids = connection.execute(query).scalars().all()
    if not ids:
        return 0, after
    # Whether Milvus has them from an earlier time isn't known, so they are written ``again``.
    values = select(vectors.id, vectors.database_id, vectors.model_id, literal(WAITING), literal(value=True))
    chosen = values.where(vectors.id.in_(ids))
    columns = ["vector_id", "database_id", "model_id", "state", "again"]
    connection.execute(insert(milvus_rows).from_select(columns, chosen))
    return len(ids), ids[-1]
