"""Create the tables for Slack: channel settings, inbox, uploads, keys, installations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
YES_OR_NO = sa.Boolean(create_constraint=False)
IMAGE_INDEXES = ("slack_file", "slack_message", "created_at")


def upgrade() -> None:
    _catalogue()
    _channels()
    _inbox()
    _secrets()


def downgrade() -> None:
    for table in ("oauth_states", "installations", "keys", "thumbnails", "inbox_files", "inbox", "channel_bindings"):
        op.drop_table(table)
    for column in IMAGE_INDEXES:
        op.drop_index(f"ix_images_{column}", "images")
    # Not as a batch operation: in SQLite that copies the table and drops the old one, and the drop deletes all rows
    # that refer to it.
    op.drop_column("workspaces", "enterprise")
    op.drop_column("images", "slack_kind")
    op.drop_column("databases", "hints_at_hidden")


def _catalogue() -> None:
    op.add_column("workspaces", sa.Column("enterprise", sa.String(64), nullable=False, server_default=""))
    op.add_column("databases", sa.Column("hints_at_hidden", YES_OR_NO, nullable=False, server_default=sa.false()))
    op.add_column("images", sa.Column("slack_kind", sa.String(16)))
    # Earlier rows don't say who could read the channel. Assume that it was private.
    images = sa.table("images", sa.column("slack_file", sa.String), sa.column("slack_kind", sa.String))
    op.execute(images.update().where(images.c.slack_file.is_not(None)).values(slack_kind="private"))
    for column in IMAGE_INDEXES:
        _index("images", column)


def _channels() -> None:
    op.create_table(
        "channel_bindings",
        _required("workspace", sa.String(64)),
        _required("channel", sa.String(64)),
        sa.Column("mode", sa.String(16)),
        sa.Column("database_id", ROW_ID),
        sa.Column("minimum", sa.Float()),
        _required("changed_by", sa.String(64)),
        _required("changed_at", TIME),
        sa.Column("offered_at", TIME),
        sa.PrimaryKeyConstraint("workspace", "channel", name="pk_channel_bindings"),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name="fk_channel_bindings_database_id", ondelete="SET NULL"
        ),
    )
    _index("channel_bindings", "database_id")
    op.create_table(
        "thumbnails",
        _required("workspace", sa.String(64)),
        _required("digest", sa.String(64)),
        _required("file_id", sa.String(64)),
        sa.PrimaryKeyConstraint("workspace", "digest", name="pk_thumbnails"),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        _required("id", ROW_ID),
        _required("kind", sa.String(16)),
        _required("workspace", sa.String(64)),
        _required("enterprise", sa.String(64)),
        _required("channel", sa.String(64)),
        _required("message", sa.String(64)),
        _required("payload", sa.Text()),
        _required("state", sa.String(16)),
        _required("attempts", sa.Integer()),
        _required("answering", YES_OR_NO),
        _required("owner", sa.String(64)),
        _required("due_at", TIME),
        _required("created_at", TIME),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sqlite_autoincrement=True,
    )
    _index("inbox", "state", "due_at")
    _index("inbox", "finished_at")
    op.create_table(
        "inbox_files",
        _required("job_id", ROW_ID),
        _required("workspace", sa.String(64)),
        _required("channel", sa.String(64)),
        _required("message", sa.String(64)),
        _required("file", sa.String(64)),
        _required("withdrawn", YES_OR_NO),
        sa.PrimaryKeyConstraint("workspace", "channel", "message", "file", name="pk_inbox_files"),
        sa.ForeignKeyConstraint(["job_id"], ["inbox.id"], name="fk_inbox_files_job_id", ondelete="CASCADE"),
    )
    _index("inbox_files", "job_id")
    _index("inbox_files", "workspace", "file")


def _secrets() -> None:
    op.create_table(
        "keys",
        _required("name", sa.String(64)),
        _required("secret", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("name", name="pk_keys"),
    )
    op.create_table(
        "installations",
        _required("enterprise", sa.String(64)),
        _required("workspace", sa.String(64)),
        _required("sealed", sa.LargeBinary()),
        _required("installed_at", TIME),
        sa.PrimaryKeyConstraint("enterprise", "workspace", name="pk_installations"),
    )
    op.create_table(
        "oauth_states",
        _required("state", sa.String(255)),
        _required("expires_at", TIME),
        sa.PrimaryKeyConstraint("state", name="pk_oauth_states"),
    )


def _required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _index(table: str, *columns: str) -> None:
    op.create_index("_".join(("ix", table, *columns)), table, list(columns))
