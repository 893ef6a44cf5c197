"""Let ids be any printable text, and compare them by a key. Record which ids were made from file names.

All ids until now consist of ``a-z 0-9 _``, so each is its own key.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Collation C, because searches by prefix compare bytes.
KEY = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
TABLES = ("images", "embedded_images", "hosted_images")
NAMED_BY_PEOPLE_OR_FILES = ("images", "image_origins")
EARLIER = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("entity_key", KEY, nullable=False, server_default=""))
        op.execute(f"UPDATE {table} SET entity_key = entity")  # noqa: S608 - constants
        op.drop_index(f"ix_{table}_database_id_entity", table)
        op.create_index(f"ix_{table}_database_id_entity_key_id", table, ["database_id", "entity_key", "id"])
    op.add_column("image_origins", sa.Column("entity_key", KEY))
    op.execute("UPDATE image_origins SET entity_key = entity")
    op.drop_index("ix_image_origins_entity", "image_origins")
    op.create_index("ix_image_origins_entity_key", "image_origins", ["entity_key"])
    for table in NAMED_BY_PEOPLE_OR_FILES:
        flag = sa.Boolean(create_constraint=False)
        op.add_column(table, sa.Column("named_automatically", flag, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Give ids that earlier versions can't read a name of ``a-z 0-9 _``. The same id gets the same name everywhere."""
    for table in NAMED_BY_PEOPLE_OR_FILES:
        op.drop_column(table, "named_automatically")
    _rename_for_earlier_versions("image_origins")
    op.drop_index("ix_image_origins_entity_key", "image_origins")
    op.drop_column("image_origins", "entity_key")
    op.create_index("ix_image_origins_entity", "image_origins", ["entity"])
    for table in TABLES:
        _rename_for_earlier_versions(table)
        op.drop_index(f"ix_{table}_database_id_entity_key_id", table)
        op.drop_column(table, "entity_key")
        op.create_index(f"ix_{table}_database_id_entity", table, ["database_id", "entity"])


def _rename_for_earlier_versions(name: str) -> None:
    table = sa.table(name, sa.column("entity"), sa.column("entity_key"))
    connection = op.get_bind()
    written = connection.execute(
        sa.select(table.c.entity, table.c.entity_key).where(table.c.entity.is_not(None)).distinct()
    ).all()
    for row in written:
        if not EARLIER.fullmatch(row.entity):
            renamed = sa.update(table).where(table.c.entity == row.entity).values(entity=_earlier_name(row.entity_key))
            connection.execute(renamed)


def _earlier_name(key: str) -> str:
    if EARLIER.fullmatch(key):
        return key
    letters = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")[:40]
    return f"{readable}_{hashlib.sha256(key.encode()).hexdigest()[:16]}".lstrip("_")
