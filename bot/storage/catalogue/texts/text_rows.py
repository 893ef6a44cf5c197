"""The statements that write the texts of pictures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from bot.domain.texts import PictureText
from bot.storage.catalogue.texts.line_encoding import encode
from bot.storage.catalogue.texts.origin_words import index_images
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import databases, image_texts, images


class TextState(StrEnum):
    """How far the reading of a picture is."""

    READING = "reading"
    """A process reads it, until ``due_at`` at the latest."""
    READ = "read"
    UNREADABLE = "unreadable"


def mark_reading(connection: Connection, image_id: int, database_id: int, until: datetime) -> None:
    """Record a first claim."""
    values = {"state": TextState.READING, "attempts": 1, "due_at": until, "lines": ""}
    connection.execute(insert(image_texts).values(image_id=image_id, database_id=database_id, **values))


def store_text(connection: Connection, digest: str, text: PictureText, now: datetime) -> None:
    """Store the text of all images with a picture. Locks them, so that none is deleted meanwhile."""
    wanted = select(images.c.id, images.c.database_id).where(images.c.digest == digest).order_by(images.c.id)
    # Changes lock the database before its images. Words are written under this lock, so that their ids are committed in
    # order.
    in_databases = select(databases.c.id).where(databases.c.id.in_(select(wanted.subquery().c.database_id)))
    locked = connection.execute(in_databases.order_by(databases.c.id).with_for_update(key_share=True)).scalars().all()
    # Images that another database got since then are claimed, and get this text then.
    wanted = wanted.where(images.c.database_id.in_(locked))
    rows = connection.execute(wanted.with_for_update(read=True, key_share=True)).all()
    ids = [row.id for row in rows]
    if not ids:
        return
    for some in in_batches(ids):
        connection.execute(delete(image_texts).where(image_texts.c.image_id.in_(some)))
    values = {"state": TextState.READ, "attempts": 0, "due_at": now, "lines": encode(text)}
    connection.execute(
        insert(image_texts), [{"image_id": row.id, "database_id": row.database_id, **values} for row in rows]
    )
    index_images(connection, ids)


def set_state(connection: Connection, image_ids: Iterable[int], state: TextState, now: datetime) -> None:
    """Change the state of claimed images."""
    ours = image_texts.c.image_id.in_(list(image_ids)) & (image_texts.c.state == TextState.READING)
    connection.execute(update(image_texts).where(ours).values(state=state, due_at=now))
