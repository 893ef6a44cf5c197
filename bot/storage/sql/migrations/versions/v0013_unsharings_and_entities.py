"""Remember where unshared files were still shared, which id each origin gave its image, and which were imported.

The oldest origin of an image gave the id that it has. What the others gave is unknown, so they get a neutral id.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

ENTITY = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
OLDEST_GAVE_IT = """
UPDATE image_origins SET entity = (SELECT images.entity FROM images WHERE images.id = image_origins.image_id)
WHERE NOT EXISTS (
    SELECT 1 FROM image_origins AS older
    WHERE older.image_id = image_origins.image_id
    AND (older.created_at < image_origins.created_at
         OR (older.created_at = image_origins.created_at AND older.id < image_origins.id))
)
"""
OTHERS_ARE_UNKNOWN = "UPDATE image_origins SET entity = 'image_' || image_id WHERE entity IS NULL"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "unshared_files",
        sa.Column("job_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("file", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("moment", sa.Float(), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_unshared_files"),
        sa.ForeignKeyConstraint(["job_id"], ["inbox.id"], name="fk_unshared_files_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_unshared_files_workspace_file", "unshared_files", ["workspace", "file"])
    op.add_column("image_origins", sa.Column("entity", ENTITY))
    yes_or_no = sa.Boolean(create_constraint=False)
    op.add_column("image_origins", sa.Column("imported", yes_or_no, nullable=False, server_default=sa.false()))
    op.execute(OLDEST_GAVE_IT)
    op.execute(OTHERS_ARE_UNKNOWN)
    op.create_index("ix_image_origins_entity", "image_origins", ["entity"])


def downgrade() -> None:
    op.drop_index("ix_image_origins_entity", "image_origins")
    for name in ("imported", "entity"):
        op.drop_column("image_origins", name)
    op.drop_index("ix_unshared_files_workspace_file", "unshared_files")
    op.drop_table("unshared_files")
