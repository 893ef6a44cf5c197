"""The words of each origin's id, note and file name. Every change of an origin, or of an image's id, calls this."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from bot.domain.find_words import index_tokens
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import image_origins, images, origin_words

_ORIGINS = image_origins.c

# Every add runs these. Built once, they cost little more than the work of the driver.
_TEXTS = (
    select(
        _ORIGINS.id,
        images.c.database_id,
        func.coalesce(_ORIGINS.entity, images.c.entity).label("entity"),
        _ORIGINS.note,
        _ORIGINS.source_name,
    )
    .join(images)
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
        {"origin_id": row.id, "database_id": row.database_id, "word": word}
        for row in connection.execute(_TEXTS, {"some": image_ids})
        for word in sorted(index_tokens(row.entity, row.source_name, row.note))
    ]
    if rows:
        connection.execute(_INSERT, rows)
