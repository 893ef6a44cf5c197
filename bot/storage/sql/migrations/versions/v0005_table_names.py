"""Rename tables after their content: pending deletions, local features and the transfer log.

Indexes, and PostgreSQL's constraints and sequences, get the names that the schema's conventions give them. SQLite's
constraints keep their old names: nothing there refers to them, and a new name would mean copying the table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OLD_DELETIONS, NEW_DELETIONS = "hosted_chores", "hosted_deletions"
DELETION_INDEXES = (("due_at", "id"), ("entity",))

OLD_FEATURES, NEW_FEATURES = "embedded_sketches", "embedded_local_features"
OLD_FEATURES_COLUMN, NEW_FEATURES_COLUMN = "sketch", "features"

# The transfer makes this table itself, so most databases have none.
OLD_TRANSFERS, NEW_TRANSFERS = "moves", "transfers"
OLD_CHECKSUMS_COLUMN, NEW_CHECKSUMS_COLUMN = "marks", "checksums"


def upgrade() -> None:
    _rename_deletions(OLD_DELETIONS, NEW_DELETIONS)
    _rename_features(OLD_FEATURES, NEW_FEATURES)
    op.alter_column(NEW_FEATURES, OLD_FEATURES_COLUMN, new_column_name=NEW_FEATURES_COLUMN)
    if _exists(OLD_TRANSFERS):
        _rename_transfers(OLD_TRANSFERS, NEW_TRANSFERS)
        op.alter_column(NEW_TRANSFERS, OLD_CHECKSUMS_COLUMN, new_column_name=NEW_CHECKSUMS_COLUMN)


def downgrade() -> None:
    if _exists(NEW_TRANSFERS):
        op.alter_column(NEW_TRANSFERS, NEW_CHECKSUMS_COLUMN, new_column_name=OLD_CHECKSUMS_COLUMN)
        _rename_transfers(NEW_TRANSFERS, OLD_TRANSFERS)
    op.alter_column(NEW_FEATURES, NEW_FEATURES_COLUMN, new_column_name=OLD_FEATURES_COLUMN)
    _rename_features(NEW_FEATURES, OLD_FEATURES)
    _rename_deletions(NEW_DELETIONS, OLD_DELETIONS)


def _rename_deletions(old: str, new: str) -> None:
    op.rename_table(old, new)
    # SQLite can't rename an index. These are small: the table holds only what still has to be deleted.
    for columns in DELETION_INDEXES:
        op.drop_index("_".join(("ix", old, *columns)), new)
        op.create_index("_".join(("ix", new, *columns)), new, list(columns))
    if _is_postgres():
        _rename_constraint(new, f"pk_{old}", f"pk_{new}")
        op.execute(f"ALTER SEQUENCE {old}_id_seq RENAME TO {new}_id_seq")


def _rename_features(old: str, new: str) -> None:
    op.rename_table(old, new)
    if _is_postgres():
        _rename_constraint(new, f"pk_{old}", f"pk_{new}")
        _rename_constraint(new, f"fk_{old}_vector_id", f"fk_{new}_vector_id")


def _rename_transfers(old: str, new: str) -> None:
    op.rename_table(old, new)
    if _is_postgres():
        # PostgreSQL named this key itself.
        _rename_constraint(new, f"{old}_pkey", f"{new}_pkey")


def _rename_constraint(table: str, old: str, new: str) -> None:
    op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")


def _exists(table: str) -> bool:
    return sa.inspect(op.get_bind()).has_table(table)


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
