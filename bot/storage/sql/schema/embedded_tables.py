"""The tables of the embedded engine. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text, UniqueConstraint

from bot.storage.sql.schema.columns import ENTITY, ENTITY_KEY, ROW_ID, UtcTime, metadata, owner

# The embedded engine's rows: an image has an id and a note, and one vector (embedding and fingerprint) for each model.
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
    Column("database_id", ROW_ID, owner("embedded_databases"), nullable=False),
    Column("data_id", String(64), nullable=False),
    Column("entity", ENTITY, nullable=False),
    Column("entity_key", ENTITY_KEY, nullable=False, server_default=""),
    Column("note", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("database_id", "data_id"),
    Index(None, "database_id", "created_at", "id"),
    Index(None, "database_id", "entity_key", "id"),
    sqlite_autoincrement=True,
)

embedded_vectors = Table(
    "embedded_vectors",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("image_id", ROW_ID, owner("embedded_images"), nullable=False),
    Column("database_id", ROW_ID, nullable=False),
    Column("model_id", String(255), nullable=False),
    Column("embedding", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    UniqueConstraint("image_id", "model_id"),
    Index(None, "database_id", "model_id", "id"),
    sqlite_autoincrement=True,
)

# A table of its own, so that loading the vectors does not read past the local features.
embedded_local_features = Table(
    "embedded_local_features",
    metadata,
    Column("vector_id", ROW_ID, owner("embedded_vectors"), primary_key=True, autoincrement=False),
    Column("features", LargeBinary, nullable=False),
)

# SIFT points, which only searches without a copy read. Vectors of versions before revision 0010 have none.
embedded_point_features = Table(
    "embedded_point_features",
    metadata,
    Column("vector_id", ROW_ID, owner("embedded_vectors"), primary_key=True, autoincrement=False),
    Column("features", LargeBinary, nullable=False),
)

# What point features are computed from, until a background task or a search has done it.
embedded_pending_points = Table(
    "embedded_pending_points",
    metadata,
    Column("vector_id", ROW_ID, owner("embedded_vectors"), primary_key=True, autoincrement=False),
    Column("luminance", LargeBinary, nullable=False),
)
