"""Add when people pressed the buttons that judge matches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feedback_labels", sa.Column("pressed_at", sa.Float, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("feedback_labels", "pressed_at")
