"""Add imports of channels' histories, and the time of the last event that was seen in each watched channel."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UTC_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("channel_bindings", sa.Column("seen_ts", sa.String(64), nullable=False, server_default=""))
    # What was shared before was seen by an earlier version.
    op.get_bind().execute(
        sa.text("UPDATE channel_bindings SET seen_ts = :now"), {"now": f"{datetime.now(UTC).timestamp():.6f}"}
    )
    _create_imports()
    op.create_table(
        "history_messages",
        sa.Column("import_id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("is_thread", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("message", sa.String(64), nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("import_id", "is_thread", "message", name="pk_history_messages"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["history_imports.id"], name="fk_history_messages_import_id", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_history_messages_workspace_channel_message", "history_messages", ["workspace", "channel", "message"]
    )


def _create_imports() -> None:
    op.create_table(
        "history_imports",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("enterprise", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("database", sa.String(64), nullable=False),
        sa.Column("started_by", sa.String(64), nullable=False),
        sa.Column("is_catch_up", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("oldest", sa.String(64), nullable=False),
        sa.Column("latest", sa.String(64), nullable=False),
        sa.Column("max_messages", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("reached", sa.String(64), nullable=False),
        sa.Column("is_listed", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("is_limited", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("pictures", sa.Integer, nullable=False),
        sa.Column("added", sa.Integer, nullable=False),
        sa.Column("known", sa.Integer, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("notice", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", UTC_TIME, nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("finished_at", UTC_TIME),
        sa.PrimaryKeyConstraint("id", name="pk_history_imports"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_history_imports_status_due_at", "history_imports", ["status", "due_at"])
    op.create_index("ix_history_imports_workspace_channel", "history_imports", ["workspace", "channel"])


def downgrade() -> None:
    op.drop_table("history_messages")
    op.drop_table("history_imports")
    op.drop_column("channel_bindings", "seen_ts")
