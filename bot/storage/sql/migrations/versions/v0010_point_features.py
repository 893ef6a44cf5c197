"""Add a table for the point features by which an item is recognised in another photo. ``vsearch reindex`` fills it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "embedded_point_features",
        sa.Column("vector_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("vector_id", name="pk_embedded_point_features"),
        sa.ForeignKeyConstraint(
            ["vector_id"], ["embedded_vectors.id"], name="fk_embedded_point_features_vector_id", ondelete="CASCADE"
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        # The codes are as good as random, so compressing them costs time and saves nothing.
        op.execute("ALTER TABLE embedded_point_features ALTER COLUMN features SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("embedded_point_features")
