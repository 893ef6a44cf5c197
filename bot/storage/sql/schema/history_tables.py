"""The tables of imports of channels' histories. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from bot.storage.sql.schema.columns import ROW_ID, UtcTime, metadata, owner

# ``cursor`` is Slack's, ``reached`` the oldest message that was listed. ``notice`` is the message with the progress.
history_imports = Table(
    "history_imports",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace", String(64), nullable=False),
    Column("enterprise", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("database", String(64), nullable=False),
    Column("started_by", String(64), nullable=False),
    Column("is_catch_up", Boolean(create_constraint=False), nullable=False),
    Column("oldest", String(64), nullable=False),
    Column("latest", String(64), nullable=False),
    Column("max_messages", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("reached", String(64), nullable=False),
    Column("is_listed", Boolean(create_constraint=False), nullable=False),
    Column("is_limited", Boolean(create_constraint=False), nullable=False),
    Column("messages", Integer, nullable=False),
    Column("pictures", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("known", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("notice", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Index(None, "status", "due_at"),
    Index(None, "workspace", "channel"),
    sqlite_autoincrement=True,
)

# What an import still has to read or add: messages with pictures, and threads, whose payload is the next cursor.
# ``files`` are the ids of the message's files, each between blanks.
history_messages = Table(
    "history_messages",
    metadata,
    Column("import_id", ROW_ID, owner("history_imports"), primary_key=True, autoincrement=False),
    Column("is_thread", Boolean(create_constraint=False), primary_key=True),
    Column("message", String(64), primary_key=True),
    Column("workspace", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("files", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Index(None, "workspace", "channel", "message"),
)
