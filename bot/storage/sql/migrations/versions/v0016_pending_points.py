"""Add a table for what point features are computed from after an add."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "embedded_pending_points",
        sa.Column("vector_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("luminance", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("vector_id", name="pk_embedded_pending_points"),
        sa.ForeignKeyConstraint(
            ["vector_id"], ["embedded_vectors.id"], name="fk_embedded_pending_points_vector_id", ondelete="CASCADE"
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        # They are replaced soon, so compressing them is not worth its time.
        op.execute("ALTER TABLE embedded_pending_points ALTER COLUMN luminance SET STORAGE EXTERNAL")


def downgrade() -> None:
    # “vsearch reindex” of an earlier version computes the points that are lost.
    op.drop_table("embedded_pending_points")
