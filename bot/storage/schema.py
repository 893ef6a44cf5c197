"""The tables. Migrations build them; a test holds the two together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment; databases without time zones keep it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Row ids are never used twice: an index that saw one may trust it for ever.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
# Prefix searches compare by bytes.
ENTITY = String(64).with_variant(String(64, collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _owner(table: str) -> ForeignKey:
    return ForeignKey(f"{table}.id", ondelete="CASCADE")


workspaces = Table(
    "workspaces",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("connected_at", UtcTime, nullable=False),
)

databases = Table(
    "databases",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("workspace", "name"),
    sqlite_autoincrement=True,
)

images = Table(
    "images",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("database_id", ROW_ID, _owner("databases"), nullable=False),
    Column("data_id", String(64), nullable=False),
    Column("entity", ENTITY, nullable=False),
    Column("note", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("source_digest", String(64), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("added_by", String(64), nullable=False),
    Column("source_name", Text, nullable=False),
    Column("slack_file", String(64)),
    Column("slack_channel", String(64)),
    Column("slack_message", String(64)),
    Column("slack_permalink", Text),
    UniqueConstraint("database_id", "data_id"),
    UniqueConstraint("database_id", "digest"),
    Index(None, "database_id", "created_at", "id"),
    Index(None, "database_id", "entity"),
    Index(None, "database_id", "source_digest"),
    Index(None, "digest"),
    sqlite_autoincrement=True,
)

# The embedded engine's own rows: images are what was said of a picture, vectors what a model saw in it.
embedded_databases = Table(
    "embedded_databases",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("model_id", String(255)),
    Column("revision", BigInteger, nullable=False),
    Column("removals", BigInteger, nullable=False),
    Column("calibration", Text),
    UniqueConstraint("workspace", "name"),
    sqlite_autoincrement=True,
)

embedded_images = Table(
    "embedded_images",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("database_id", ROW_ID, _owner("embedded_databases"), nullable=False),
    Column("data_id", String(64), nullable=False),
    Column("entity", ENTITY, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("database_id", "data_id"),
    Index(None, "database_id", "created_at", "id"),
    Index(None, "database_id", "entity"),
    sqlite_autoincrement=True,
)

embedded_vectors = Table(
    "embedded_vectors",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("image_id", ROW_ID, _owner("embedded_images"), nullable=False),
    Column("database_id", ROW_ID, nullable=False),
    Column("model_id", String(255), nullable=False),
    Column("embedding", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    UniqueConstraint("image_id", "model_id"),
    Index(None, "database_id", "model_id", "id"),
    sqlite_autoincrement=True,
)

# Apart, so that the vectors load without reading past the sketches.
embedded_sketches = Table(
    "embedded_sketches",
    metadata,
    Column("vector_id", ROW_ID, _owner("embedded_vectors"), primary_key=True, autoincrement=False),
    Column("sketch", LargeBinary, nullable=False),
)
