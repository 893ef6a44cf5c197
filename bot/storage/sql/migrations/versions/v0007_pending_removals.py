"""Create the table of pending removals, and find uploads to Slack by their picture."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
KEY = ("kind", "workspace", "name")

# What an earlier version deletes from the hosted service. A database with this prefix is deleted there as a whole.
QUEUE_HOSTED = """
INSERT INTO hosted_deletions (upstream, entity, due_at)
SELECT owner.upstream, owner.prefix || image.data_id, :now
FROM hosted_images AS image JOIN hosted_databases AS owner ON owner.id = image.database_id
WHERE owner.workspace LIKE 'deleting:%' AND owner.workspace NOT LIKE 'deleting:whole:%'
ORDER BY image.id
"""
# An earlier version deletes uploads from Slack that no image has. Their pictures are gone, so their own ids stand here.
KEEP_UPLOADS = """
INSERT INTO thumbnails (workspace, digest, file_id)
SELECT workspace, name, name FROM pending_removals WHERE kind = 'upload' AND state <> 'removed'
"""


def upgrade() -> None:
    op.create_table(
        "pending_removals",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pending_removals"),
        sa.UniqueConstraint(*KEY, name="_".join(("uq_pending_removals", *KEY))),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pending_removals_kind_state_due_at", "pending_removals", ["kind", "state", "due_at"])
    op.create_index("ix_thumbnails_digest", "thumbnails", ["digest"])


def downgrade() -> None:
    """Leave what is to be deleted where an earlier version deletes it, except pictures in files and buckets."""
    bind = op.get_bind()
    now = sa.bindparam("now", datetime.now(UTC), TIME)
    bind.execute(sa.text(QUEUE_HOSTED).bindparams(now))
    op.execute(KEEP_UPLOADS)
    # An earlier version would not know the databases that are being deleted, and their rows would stay for ever.
    for table in ("databases", "embedded_databases", "hosted_databases"):
        rows = sa.table(table, sa.column("workspace", sa.String()))
        bind.execute(sa.delete(rows).where(rows.c.workspace.like("deleting:%")))
    op.drop_index("ix_thumbnails_digest", "thumbnails")
    op.drop_table("pending_removals")
