"""Record which conversations the images of a database came from, so that counts need not look at every image."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# An origin without a file came from no conversation. Rows without a kind are from the first versions.
FILL = """
INSERT INTO database_channels (database_id, channel, kind)
SELECT DISTINCT images.database_id, COALESCE(image_origins.slack_channel, ''),
       CASE WHEN image_origins.slack_file IS NULL THEN 'public' ELSE COALESCE(image_origins.slack_kind, 'private') END
FROM image_origins JOIN images ON images.id = image_origins.image_id
"""


def upgrade() -> None:
    op.create_table(
        "database_channels",
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("database_id", "channel", "kind", name="pk_database_channels"),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name="fk_database_channels_database_id", ondelete="CASCADE"
        ),
    )
    op.execute(FILL)


def downgrade() -> None:
    op.drop_table("database_channels")
