"""The words of each origin: of its id, note and file name, and of the text in the picture.

Every change of an origin, of an image's id, or of a picture's text calls this, while it holds the database's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from bot.domain.channels import ChannelKind, scopes_of
from bot.domain.find_words import index_tokens, picture_tokens, whole_id_token
from bot.storage.catalogue.texts.line_encoding import decode
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import image_origins, image_texts, images, origin_words

_ORIGINS = image_origins.c

# Every add runs these. Built once, they cost little more than the work of the driver.
_TEXTS = (
    select(
        _ORIGINS.id,
        _ORIGINS.image_id,
        images.c.database_id,
        func.coalesce(_ORIGINS.entity, images.c.entity).label("entity"),
        func.coalesce(_ORIGINS.entity_key, images.c.entity_key).label("entity_key"),
        _ORIGINS.note,
        _ORIGINS.source_name,
        _ORIGINS.author,
        _ORIGINS.slack_channel,
        _ORIGINS.slack_kind,
        _ORIGINS.slack_file,
        # Empty, or there is none, while the picture is being read.
        image_texts.c.lines,
    )
    .select_from(image_origins.join(images).outerjoin(image_texts, image_texts.c.image_id == images.c.id))
    .where(images.c.id.in_(bindparam("some", expanding=True)))
)
_DELETE = delete(origin_words).where(
    origin_words.c.origin_id.in_(select(_ORIGINS.id).where(_ORIGINS.image_id.in_(bindparam("some", expanding=True))))
)
_INSERT = insert(origin_words)


def index_new_images(connection: Connection, image_ids: Sequence[int]) -> None:
    """Store the words of images that were added just now."""
    for some in in_batches(image_ids):
        _insert(connection, some)


def index_images(connection: Connection, image_ids: Sequence[int]) -> None:
    """Replace the words of images' origins by those that they have now."""
    for some in in_batches(image_ids):
        connection.execute(_DELETE, {"some": some})
        _insert(connection, some)


def _insert(connection: Connection, image_ids: Sequence[int]) -> None:
    rows = [
        {
            "origin_id": row.id,
            "image_id": row.image_id,
            "database_id": row.database_id,
            "scope": scope,
            "word": word,
        }
        for row in connection.execute(_TEXTS, {"some": image_ids})
        for words in [sorted(_words(row))]
        for scope in sorted(_scopes(row))
        for word in words
    ]
    if rows:
        connection.execute(_INSERT, rows)


def _words(row: Any) -> frozenset[str]:
    given = index_tokens(row.entity, row.source_name, row.note) | {whole_id_token(row.entity_key)}
    return given | picture_tokens(decode(row.lines)) if row.lines else given


def _scopes(row: Any) -> frozenset[str]:
    kind = ChannelKind(row.slack_kind) if row.slack_kind else None
    return scopes_of(row.slack_channel or "", kind, row.slack_file, row.author)
