"""Index words by who may see them, those in pictures too, so that no search comes across words of hidden images."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

# The index is derived from the rows, so it is built by the rules of the version that is installed.
from bot.domain.channels import ChannelKind, scopes_of
from bot.domain.find_words import index_tokens, picture_tokens, whole_id_token
from bot.domain.matches import PictureRegion
from bot.domain.texts import PictureText, TextLine, index_words

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
SCOPE = sa.String(80).with_variant(sa.String(80, collation="C"), "postgresql")
BATCH = 1000

ORIGINS = sa.table(
    "image_origins",
    *map(
        sa.column,
        ("id", "image_id", "entity", "entity_key", "note", "source_name", "author"),
    ),
    *map(sa.column, ("slack_channel", "slack_kind", "slack_file")),
)
IMAGES = sa.table("images", *map(sa.column, ("id", "database_id", "entity", "entity_key")))
TEXTS = sa.table("image_texts", *map(sa.column, ("image_id", "database_id", "lines")))


def upgrade() -> None:
    op.drop_table("origin_words")
    op.drop_table("image_words")
    op.create_table(
        "origin_words",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("origin_id", ROW_ID, nullable=False),
        sa.Column("image_id", ROW_ID, nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.Column("scope", SCOPE, nullable=False),
        sa.Column("word", WORD, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_origin_words"),
        sa.ForeignKeyConstraint(
            ["origin_id"], ["image_origins.id"], name="fk_origin_words_origin_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    _fill("origin_words", ORIGINS.c.id, _scoped_words)
    columns = ["database_id", "scope", "word", "image_id"]
    op.create_index("ix_origin_words_database_id_scope_word_image_id", "origin_words", columns)
    op.create_index("ix_origin_words_origin_id_word_scope", "origin_words", ["origin_id", "word", "scope"])


def downgrade() -> None:
    op.drop_table("origin_words")
    _create_former("origin_words", "origin_id", "image_origins")
    _create_former("image_words", "image_id", "images")
    _fill("origin_words", ORIGINS.c.id, _words)
    _fill("image_words", TEXTS.c.image_id, _words_in_picture)
    for table, owner in (("origin_words", "origin_id"), ("image_words", "image_id")):
        op.create_index(f"ix_{table}_database_id_word_{owner}", table, ["database_id", "word", owner])


def _create_former(table: str, owner: str, owned_by: str) -> None:
    op.create_table(
        table,
        sa.Column(owner, ROW_ID, nullable=False, autoincrement=False),
        sa.Column("word", WORD, nullable=False),
        sa.Column("database_id", ROW_ID, nullable=False),
        sa.PrimaryKeyConstraint(owner, "word", name=f"pk_{table}"),
        sa.ForeignKeyConstraint([owner], [f"{owned_by}.id"], name=f"fk_{table}_{owner}", ondelete="CASCADE"),
    )


def _fill(table: str, position: Any, rows_of: Callable[[Any], Iterator[dict[str, Any]]]) -> None:
    connection, last = op.get_bind(), 0
    query = _texts() if position.table is TEXTS else _origins()
    target: sa.TableClause | None = None
    while rows := connection.execute(query.where(position > last).order_by(position).limit(BATCH)).all():
        last = rows[-1].place
        if found := [one for row in rows for one in rows_of(row)]:
            if target is None:
                target = sa.table(table, *map(sa.column, found[0]))
            connection.execute(sa.insert(target), found)


def _origins() -> sa.Select[Any]:
    with_texts = ORIGINS.join(IMAGES, IMAGES.c.id == ORIGINS.c.image_id)
    with_texts = with_texts.outerjoin(TEXTS, TEXTS.c.image_id == IMAGES.c.id)
    return sa.select(
        ORIGINS,
        ORIGINS.c.id.label("place"),
        IMAGES.c.database_id,
        sa.func.coalesce(ORIGINS.c.entity, IMAGES.c.entity).label("given"),
        sa.func.coalesce(ORIGINS.c.entity_key, IMAGES.c.entity_key).label("key"),
        TEXTS.c.lines,
    ).select_from(with_texts)


def _texts() -> sa.Select[Any]:
    return sa.select(TEXTS, TEXTS.c.image_id.label("place")).where(TEXTS.c.lines != "")


def _scoped_words(row: Any) -> Iterator[dict[str, Any]]:
    kind = ChannelKind(row.slack_kind) if row.slack_kind else None
    words = index_tokens(row.given, row.source_name, row.note) | {whole_id_token(row.key)}
    if row.lines:
        words |= picture_tokens(_decoded(row.lines))
    of = {"origin_id": row.id, "image_id": row.image_id, "database_id": row.database_id}
    for scope in sorted(scopes_of(row.slack_channel or "", kind, row.slack_file, row.author)):
        yield from ({**of, "scope": scope, "word": word} for word in sorted(words))


def _words(row: Any) -> Iterator[dict[str, Any]]:
    for word in sorted(index_tokens(row.given, row.source_name, row.note)):
        yield {"origin_id": row.id, "word": word, "database_id": row.database_id}


def _words_in_picture(row: Any) -> Iterator[dict[str, Any]]:
    for word in sorted(index_words(_decoded(row.lines))):
        yield {"image_id": row.image_id, "word": word, "database_id": row.database_id}


def _decoded(lines: str) -> PictureText:
    return PictureText(tuple(TextLine(one[0], one[1], PictureRegion(*one[2:6])) for one in json.loads(lines)))
