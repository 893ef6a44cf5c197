"""The tables of workspaces, databases and images. Import them from ``schema.tables``, like all others.

Only the list of databases imports this module alone, because it needs no other tables.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from bot.storage.sql.schema.columns import ENTITY, ENTITY_KEY, ROW_ID, UtcTime, metadata, owner

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("connected_at", UtcTime, nullable=False),
    Column("enterprise", String(64), nullable=False, server_default=""),
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
    Column("hints_at_hidden", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("link", Text, nullable=False, server_default=""),
    UniqueConstraint("workspace", "name"),
    sqlite_autoincrement=True,
)

images = Table(
    "images",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("database_id", ROW_ID, owner("databases"), nullable=False),
    Column("data_id", String(64), nullable=False),
    Column("entity", ENTITY, nullable=False),
    Column("entity_key", ENTITY_KEY, nullable=False, server_default=""),
    Column("named_automatically", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("digest", String(64), nullable=False),
    Column("source_digest", String(64), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("database_id", "data_id"),
    UniqueConstraint("database_id", "digest"),
    Index(None, "database_id", "created_at", "id"),
    Index(None, "database_id", "entity_key", "id"),
    Index(None, "database_id", "source_digest"),
    Index(None, "digest"),
    Index(None, "created_at"),
    sqlite_autoincrement=True,
)
