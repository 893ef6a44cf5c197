"""The tables of moderation. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint, false

from bot.storage.sql.schema.columns import ROW_ID, UtcTime, metadata, owner

# Who may change the settings of a workspace's channels, as JSON.
workspace_settings = Table(
    "workspace_settings",
    metadata,
    Column("workspace", String(64), primary_key=True),
    Column("editors", Text, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)

# A repost that a guard found: a file of a message, and where it was reported. The picture itself is not kept.
guard_reports = Table(
    "guard_reports",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("workspace", String(64), nullable=False),
    Column("database_id", ROW_ID, owner("databases"), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("message", String(64), nullable=False),
    Column("thread", String(64), nullable=False),
    Column("file", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("author", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("is_shown", Boolean(create_constraint=False), nullable=False),
    Column("is_preview", Boolean(create_constraint=False), nullable=False),
    Column("caveats", Text, nullable=False),
    Column("posted_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("thread_ts", String(64), nullable=False, server_default=""),
    Column("copy_channel", String(64), nullable=False, server_default=""),
    Column("copy_ts", String(64), nullable=False, server_default=""),
    Column("copy_at", UtcTime),
    Column("is_grouped", Boolean(create_constraint=False), nullable=False, server_default=false()),
    UniqueConstraint("workspace", "channel", "message", "file"),
    Index(None, "database_id"),
    Index(None, "created_at"),
    Index(None, "workspace", "copy_channel", "copy_at"),
    sqlite_autoincrement=True,
)

# The images that a repost repeats. The rows go with the images.
guard_report_matches = Table(
    "guard_report_matches",
    metadata,
    Column("report_id", ROW_ID, owner("guard_reports"), primary_key=True, autoincrement=False),
    Column("image_id", ROW_ID, owner("images"), primary_key=True, autoincrement=False),
    Column("rank", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("edits", Text, nullable=False),
    Index(None, "image_id"),
)

# What moderators did about a report, and what they undid.
guard_report_actions = Table(
    "guard_report_actions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("report_id", ROW_ID, owner("guard_reports"), nullable=False),
    Column("action", String(16), nullable=False),
    Column("user", String(64), nullable=False),
    Column("taken_at", UtcTime, nullable=False),
    Column("due_at", UtcTime),
    Column("done_at", UtcTime),
    Column("place", String(128), nullable=False, server_default=""),
    Column("undone_by", String(64), nullable=False, server_default=""),
    Column("undone_at", UtcTime),
    Index(None, "report_id"),
    Index(None, "due_at"),
    sqlite_autoincrement=True,
)

# A stored image and a picture that never match again. The rows go with the images.
excluded_pairs = Table(
    "excluded_pairs",
    metadata,
    Column("image_id", ROW_ID, owner("images"), primary_key=True, autoincrement=False),
    Column("digest", String(64), primary_key=True),
    Column("database_id", ROW_ID, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("action_id", ROW_ID, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "database_id"),
    Index(None, "action_id"),
)

# What people said about matches. The rows go with the images, and the asked picture itself is not kept.
feedback_labels = Table(
    "feedback_labels",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("image_id", ROW_ID, owner("images"), nullable=False),
    Column("database_id", ROW_ID, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("user", String(64), nullable=False),
    Column("is_same", Boolean(create_constraint=False), nullable=False),
    Column("score", Float, nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("by_likeness", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("lead", Float, nullable=False, server_default="0"),
    Column("channel", String(64), nullable=False, server_default=""),
    Column("message", String(64), nullable=False, server_default=""),
    Column("file", String(64), nullable=False, server_default=""),
    Column("pressed_at", Float, nullable=False, server_default="0"),
    UniqueConstraint("image_id", "fingerprint", "user"),
    Index(None, "database_id"),
    Index(None, "file"),
    Index(None, "channel", "message"),
    sqlite_autoincrement=True,
)
