"""The tables of the inbox. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, false, text

from bot.storage.sql.schema.columns import ROW_ID, UtcTime, metadata, owner

# Jobs. Finished rows stay for a while, so that repeated deliveries are recognised. ``due_set_at`` is the time by which
# ``due_at`` was computed; ``begun`` says that the owner has begun the job that it leases; ``trace`` is that of the
# delivery.
inbox = Table(
    "inbox",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("workspace", String(64), nullable=False),
    Column("enterprise", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("message", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("answering", Boolean(create_constraint=False), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("obligation", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("begun", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("due_set_at", UtcTime),
    Column("trace", String(64)),
    Index(None, "state", "due_at"),
    # For each workspace in turn, its next waiting job.
    Index(None, "state", "obligation", "workspace", "due_at", "id"),
    Index(None, "finished_at"),
    sqlite_autoincrement=True,
)

_REFUSED = text("refusal IS NOT NULL")

# ``refusal`` says why a shared file could not be added, and ``permalink`` where its message is.
inbox_files = Table(
    "inbox_files",
    metadata,
    Column("job_id", ROW_ID, owner("inbox"), nullable=False),
    Column("workspace", String(64), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("message", String(64), primary_key=True),
    Column("file", String(64), primary_key=True),
    Column("withdrawn", Boolean(create_constraint=False), nullable=False),
    Column("refusal", Text),
    Column("permalink", Text),
    Index(None, "job_id"),
    Index(None, "workspace", "file"),
    # The few refused files among many.
    Index(None, "workspace", "job_id", sqlite_where=_REFUSED, postgresql_where=_REFUSED),
)

# Where files were still shared after they had been taken out of a message, so that a share that arrives later isn't
# added. ``kept`` is JSON. Rows go with their jobs.
unshared_files = Table(
    "unshared_files",
    metadata,
    Column("job_id", ROW_ID, owner("inbox"), primary_key=True, autoincrement=False),
    Column("workspace", String(64), nullable=False),
    Column("file", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("moment", Float, nullable=False),
    Column("kept", Text, nullable=False),
    Index(None, "workspace", "file"),
)
