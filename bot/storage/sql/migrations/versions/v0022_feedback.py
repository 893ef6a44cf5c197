"""Add what databases learn from labels, counts of what was asked, and where a label's picture was asked.

Labels that exist are those of the guard's reports, which no curve is fitted to.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
YES_OR_NO = sa.Boolean(create_constraint=False)
PLACES = ("channel", "message", "file")


def upgrade() -> None:
    no = sa.false()
    op.add_column("feedback_labels", sa.Column("by_likeness", YES_OR_NO, nullable=False, server_default=no))
    op.add_column("feedback_labels", sa.Column("lead", sa.Float, nullable=False, server_default="0"))
    for name in PLACES:
        op.add_column("feedback_labels", sa.Column(name, sa.String(64), nullable=False, server_default=""))
    _index("feedback_labels", "file")
    _index("feedback_labels", "channel", "message")
    op.create_table(
        "learned_scores",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("labels", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.String(64), nullable=False, server_default=""),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_learned_scores"),
        _owner("learned_scores", "database_id", "databases"),
        sqlite_autoincrement=True,
    )
    _index("learned_scores", "database_id")
    op.create_table(
        "usage_counts",
        sa.Column("database_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("week", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("database_id", "week", "outcome", name="pk_usage_counts"),
        _owner("usage_counts", "database_id", "databases"),
    )
    op.create_table(
        "image_usage",
        sa.Column("image_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("week", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "week", "outcome", name="pk_image_usage"),
        _owner("image_usage", "image_id", "images"),
    )
    _index("image_usage", "database_id", "outcome", "week")


def downgrade() -> None:
    for table in ("image_usage", "usage_counts", "learned_scores"):
        op.drop_table(table)
    op.drop_index("ix_feedback_labels_channel_message", "feedback_labels")
    op.drop_index("ix_feedback_labels_file", "feedback_labels")
    for name in ("by_likeness", "lead", *PLACES):
        op.drop_column("feedback_labels", name)


def _owner(table: str, column: str, owner: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
