"""Add the text of images, and the words by which they are found. The text of stored pictures is read afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "image_texts",
        sa.Column("image_id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lines", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("image_id", name="pk_image_texts"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_texts_image_id", ondelete="CASCADE"),
    )
    op.create_index("ix_image_texts_database_id_state_image_id", "image_texts", ["database_id", "state", "image_id"])
    op.create_index("ix_image_texts_state_due_at", "image_texts", ["state", "due_at"])
    op.create_table(
        "image_words",
        sa.Column("image_id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("word", WORD, nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "word", name="pk_image_words"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_words_image_id", ondelete="CASCADE"),
    )
    op.create_index("ix_image_words_database_id_word_image_id", "image_words", ["database_id", "word", "image_id"])


def downgrade() -> None:
    op.drop_table("image_words")
    op.drop_table("image_texts")
