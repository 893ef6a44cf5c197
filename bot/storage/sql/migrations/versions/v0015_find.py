"""Add the words of ids, notes and file names by which images are found, and a link for each id of a database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

# The index is derived from the rows, so it is built by the rules of the version that is installed.
from bot.domain.find_words import index_tokens

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
BATCH = 1000


def upgrade() -> None:
    op.add_column("databases", sa.Column("link", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "origin_words",
        sa.Column("origin_id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("word", WORD, nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("origin_id", "word", name="pk_origin_words"),
        sa.ForeignKeyConstraint(
            ["origin_id"], ["image_origins.id"], name="fk_origin_words_origin_id", ondelete="CASCADE"
        ),
    )
    _fill()
    op.create_index("ix_origin_words_database_id_word_origin_id", "origin_words", ["database_id", "word", "origin_id"])


def downgrade() -> None:
    op.drop_table("origin_words")
    op.drop_column("databases", "link")


def _fill() -> None:
    connection = op.get_bind()
    origins = sa.table("image_origins", *map(sa.column, ("id", "image_id", "entity", "note", "source_name")))
    images = sa.table("images", *map(sa.column, ("id", "database_id", "entity")))
    words = sa.table("origin_words", *map(sa.column, ("origin_id", "word", "database_id")))
    entity = sa.func.coalesce(origins.c.entity, images.c.entity).label("given")
    query = sa.select(origins.c.id, images.c.database_id, entity, origins.c.note, origins.c.source_name)
    query = query.join(images, images.c.id == origins.c.image_id).order_by(origins.c.id).limit(BATCH)
    last = 0
    while rows := connection.execute(query.where(origins.c.id > last)).all():
        last = rows[-1].id
        found = [
            {"origin_id": row.id, "word": word, "database_id": row.database_id}
            for row in rows
            for word in sorted(index_tokens(row.given, row.source_name, row.note))
        ]
        if found:
            connection.execute(sa.insert(words), found)
