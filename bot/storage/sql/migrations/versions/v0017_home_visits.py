"""Add a table for what each person had seen when they opened App Home."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "home_visits",
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.BigInteger),
        sa.Column("since_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("workspace", "person", name="pk_home_visits"),
    )


def downgrade() -> None:
    op.drop_table("home_visits")
