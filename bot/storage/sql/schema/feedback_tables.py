"""The tables of what databases learned, and of counts. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from bot.storage.sql.schema.columns import ROW_ID, UtcTime, metadata, owner

# What a database learned from its labels, as JSON, empty for nothing. The newest that nobody undid applies.
learned_scores = Table(
    "learned_scores",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("database_id", ROW_ID, owner("databases"), nullable=False),
    Column("model", Text, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("undone_by", String(64), nullable=False, server_default=""),
    Column("undone_at", UtcTime),
    Index(None, "database_id"),
    sqlite_autoincrement=True,
)

# How often each outcome came in each week. A week is the ordinal of its Monday: 1 is 1 January of the year 1.
usage_counts = Table(
    "usage_counts",
    metadata,
    Column("database_id", ROW_ID, owner("databases"), primary_key=True, autoincrement=False),
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(16), primary_key=True),
    Column("total", Integer, nullable=False),
)

# The same for the best match of each question. The rows go with the images.
image_usage = Table(
    "image_usage",
    metadata,
    Column("image_id", ROW_ID, owner("images"), primary_key=True, autoincrement=False),
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(16), primary_key=True),
    Column("database_id", ROW_ID, nullable=False),
    Column("total", Integer, nullable=False),
    Index(None, "database_id", "outcome", "week"),
)
