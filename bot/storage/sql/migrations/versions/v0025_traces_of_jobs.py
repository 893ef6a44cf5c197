"""Add the trace in which a job's delivery arrived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox", sa.Column("trace", sa.String(64)))


def downgrade() -> None:
    op.drop_column("inbox", "trace")
