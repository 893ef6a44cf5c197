"""Add why shared files could not be added, and where their messages are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INDEX = "ix_inbox_files_workspace_job_id"
REFUSED = sa.text("refusal IS NOT NULL")


def upgrade() -> None:
    op.add_column("inbox_files", sa.Column("refusal", sa.Text))
    op.add_column("inbox_files", sa.Column("permalink", sa.Text))
    op.create_index(INDEX, "inbox_files", ["workspace", "job_id"], sqlite_where=REFUSED, postgresql_where=REFUSED)


def downgrade() -> None:
    op.drop_index(INDEX, "inbox_files")
    op.drop_column("inbox_files", "permalink")
    op.drop_column("inbox_files", "refusal")
