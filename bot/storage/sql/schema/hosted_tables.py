"""The tables of the hosted service's ledger. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, String, Table, Text, UniqueConstraint

from bot.storage.sql.schema.columns import ENTITY, ENTITY_KEY, ROW_ID, UtcTime, metadata, owner

# What was sent to the hosted service. An image's name there is ``prefix`` followed by its data id.
hosted_databases = Table(
    "hosted_databases",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("upstream", String(64), nullable=False),
    Column("prefix", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("workspace", "name"),
    sqlite_autoincrement=True,
)

hosted_images = Table(
    "hosted_images",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("database_id", ROW_ID, owner("hosted_databases"), nullable=False),
    Column("data_id", String(64), nullable=False),
    Column("entity", ENTITY, nullable=False),
    Column("entity_key", ENTITY_KEY, nullable=False, server_default=""),
    Column("note", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("database_id", "data_id"),
    Index(None, "database_id", "created_at", "id"),
    Index(None, "database_id", "entity_key", "id"),
    Index(None, "database_id", "digest"),
    Index(None, "state", "begun_at"),
    sqlite_autoincrement=True,
)

# Pending deletions at the service. An empty ``entity`` stands for a whole database. There are no foreign keys, because
# the image's own row is deleted first.
hosted_deletions = Table(
    "hosted_deletions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("upstream", String(64), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Index(None, "due_at", "id"),
    Index(None, "entity"),
    sqlite_autoincrement=True,
)

# Pictures lent to the service for a few minutes.
relayed_pictures = Table(
    "relayed_pictures",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("expires_at", UtcTime, nullable=False),
    Column("jpeg", LargeBinary, nullable=False),
    # The digest of the stored picture that a comparison shows.
    Column("picture", String(64)),
    Index(None, "expires_at"),
    Index(None, "picture"),
)
