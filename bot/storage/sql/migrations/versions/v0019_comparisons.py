"""Record which origins are what their author posted, and which temporary pictures show a stored one.

Earlier origins of Slack messages were posted by their author, or added by hand from somebody else's message: nobody
knows, so they keep saying by whom they were added.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TEMPORARY = ("pending_removals", "relayed_pictures")


def upgrade() -> None:
    yes_or_no = sa.Boolean(create_constraint=False)
    op.add_column("image_origins", sa.Column("posted", yes_or_no, nullable=False, server_default=sa.false()))
    for table in TEMPORARY:
        op.add_column(table, sa.Column("picture", sa.String(64)))
        op.create_index(f"ix_{table}_picture", table, ["picture"])


def downgrade() -> None:
    for table in TEMPORARY:
        op.drop_index(f"ix_{table}_picture", table)
        op.drop_column(table, "picture")
    op.drop_column("image_origins", "posted")
