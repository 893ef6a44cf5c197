"""Inbox: mark the jobs that fulfil promises, count only attempts that began, and find each workspace's next job.

Obligations that earlier versions gave up are open again. Jobs that wait for another attempt get a state of their own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLE, QUEUE = "inbox", ["state", "obligation", "workspace", "due_at", "id"]
YES_OR_NO = sa.Boolean(create_constraint=False)
QUEUE_INDEX = "_".join(("ix", TABLE, *QUEUE))


def upgrade() -> None:
    for name in ("obligation", "begun"):
        op.add_column(TABLE, sa.Column(name, YES_OR_NO, nullable=False, server_default=sa.false()))
    op.add_column(TABLE, sa.Column("due_set_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE inbox SET obligation = true WHERE kind IN ('forget', 'uninstall')")
    op.execute("UPDATE inbox SET begun = true WHERE state = 'running'")
    op.execute("UPDATE inbox SET state = 'delayed' WHERE state = 'waiting' AND attempts > 0")
    op.execute("UPDATE inbox SET state = 'delayed', finished_at = NULL WHERE state = 'failed' AND obligation")
    op.create_index(QUEUE_INDEX, TABLE, QUEUE)


def downgrade() -> None:
    op.execute("UPDATE inbox SET state = 'waiting' WHERE state = 'delayed'")
    op.drop_index(QUEUE_INDEX, TABLE)
    for name in ("due_set_at", "begun", "obligation"):
        op.drop_column(TABLE, name)
