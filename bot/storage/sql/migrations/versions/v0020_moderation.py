"""Add the rules of guard channels, reports and their actions, pairs that never match, labels, and workspace settings.

Channels that have a mode keep what they do: without rules, a guard checks every image.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
YES_OR_NO = sa.Boolean(create_constraint=False)
TABLES = (
    "feedback_labels",
    "excluded_pairs",
    "guard_report_actions",
    "guard_report_matches",
    "guard_reports",
    "workspace_settings",
)


def upgrade() -> None:
    op.add_column("channel_bindings", sa.Column("rules", sa.Text))
    op.create_table(
        "workspace_settings",
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("editors", sa.Text, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("changed_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", name="pk_workspace_settings"),
    )
    _create_reports()
    _create_matches_and_actions()
    _create_pairs_and_labels()


def _create_reports() -> None:
    op.create_table(
        "guard_reports",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("channel", "message", "thread", "file")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("is_shown", YES_OR_NO, nullable=False),
        sa.Column("is_preview", YES_OR_NO, nullable=False),
        sa.Column("caveats", sa.Text, nullable=False),
        sa.Column("posted_at", _time(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        *(
            sa.Column(name, sa.String(64), nullable=False, server_default="")
            for name in ("thread_ts", "copy_channel", "copy_ts")
        ),
        sa.Column("copy_at", _time()),
        sa.Column("is_grouped", YES_OR_NO, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_guard_reports"),
        _owner("guard_reports", "database_id", "databases"),
        sa.UniqueConstraint(
            "workspace", "channel", "message", "file", name="uq_guard_reports_workspace_channel_message_file"
        ),
        sqlite_autoincrement=True,
    )
    _index("guard_reports", "database_id")
    _index("guard_reports", "created_at")
    _index("guard_reports", "workspace", "copy_channel", "copy_at")


def _create_matches_and_actions() -> None:
    op.create_table(
        "guard_report_matches",
        sa.Column("report_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("image_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("edits", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("report_id", "image_id", name="pk_guard_report_matches"),
        _owner("guard_report_matches", "report_id", "guard_reports"),
        _owner("guard_report_matches", "image_id", "images"),
    )
    _index("guard_report_matches", "image_id")
    op.create_table(
        "guard_report_actions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("report_id", ROW_ID, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("taken_at", _time(), nullable=False),
        sa.Column("due_at", _time()),
        sa.Column("done_at", _time()),
        sa.Column("place", sa.String(128), nullable=False, server_default=""),
        sa.Column("undone_by", sa.String(64), nullable=False, server_default=""),
        sa.Column("undone_at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_guard_report_actions"),
        _owner("guard_report_actions", "report_id", "guard_reports"),
        sqlite_autoincrement=True,
    )
    _index("guard_report_actions", "report_id")
    _index("guard_report_actions", "due_at")


def _create_pairs_and_labels() -> None:
    op.create_table(
        "excluded_pairs",
        sa.Column("image_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("action_id", ROW_ID, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("image_id", "digest", name="pk_excluded_pairs"),
        _owner("excluded_pairs", "image_id", "images"),
    )
    _index("excluded_pairs", "database_id")
    _index("excluded_pairs", "action_id")
    op.create_table(
        "feedback_labels",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("is_same", YES_OR_NO, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback_labels"),
        _owner("feedback_labels", "image_id", "images"),
        sa.UniqueConstraint("image_id", "fingerprint", "user", name="uq_feedback_labels_image_id_fingerprint_user"),
        sqlite_autoincrement=True,
    )
    _index("feedback_labels", "database_id")


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("channel_bindings", "rules")


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _owner(table: str, column: str, owner: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
