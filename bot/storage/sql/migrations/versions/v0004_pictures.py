"""Create the table of pictures, for processes that share no folder."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_pictures"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # These values don't compress, and trying to costs time at each add.
        for table, column in (("pictures", "jpeg"), ("embedded_sketches", "sketch"), ("embedded_vectors", "embedding")):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def downgrade() -> None:
    # pgvector's table is made outside of migrations. It refers to a table that an earlier revision drops.
    op.execute("DROP TABLE IF EXISTS pgvector_rows")
    op.drop_table("pictures")
