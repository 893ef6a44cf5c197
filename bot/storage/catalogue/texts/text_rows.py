"""Conversion of texts to rows, and the statements that write them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from bot.domain.matches import PictureRegion
from bot.domain.texts import PictureText, TextLine, index_words
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import image_texts, image_words, images


class TextState(StrEnum):
    """How far the reading of a picture is."""

    READING = "reading"
    """A process reads it, until ``due_at`` at the latest."""
    READ = "read"
    UNREADABLE = "unreadable"


def encode(text: PictureText) -> str:
    """Return the lines as JSON; an empty string for a picture without text."""
    rows = [
        [line.text, line.confidence, line.box.left, line.box.top, line.box.width, line.box.height]
        for line in text.lines
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")) if rows else ""


def decode(stored: str) -> PictureText:
    """Return the text of a row."""
    rows = json.loads(stored) if stored else []
    return PictureText(tuple(TextLine(row[0], row[1], PictureRegion(*row[2:6])) for row in rows))


def mark_reading(connection: Connection, image_id: int, database_id: int, until: datetime) -> None:
    """Record a first claim."""
    values = {"state": TextState.READING, "attempts": 1, "due_at": until, "lines": ""}
    connection.execute(insert(image_texts).values(image_id=image_id, database_id=database_id, **values))


def store_text(connection: Connection, digest: str, text: PictureText, now: datetime) -> None:
    """Store the text of all images with a picture. Locks them, so that none is deleted meanwhile."""
    wanted = select(images.c.id, images.c.database_id).where(images.c.digest == digest).order_by(images.c.id)
    rows = connection.execute(wanted.with_for_update(read=True, key_share=True)).all()
    ids = [row.id for row in rows]
    if not ids:
        return
    _delete(connection, ids)
    values = {"state": TextState.READ, "attempts": 0, "due_at": now, "lines": encode(text)}
    connection.execute(
        insert(image_texts), [{"image_id": row.id, "database_id": row.database_id, **values} for row in rows]
    )
    if words := sorted(index_words(text)):
        connection.execute(
            insert(image_words),
            [{"image_id": row.id, "database_id": row.database_id, "word": word} for row in rows for word in words],
        )


def set_state(connection: Connection, image_ids: Iterable[int], state: TextState, now: datetime) -> None:
    """Change the state of claimed images."""
    ours = image_texts.c.image_id.in_(list(image_ids)) & (image_texts.c.state == TextState.READING)
    connection.execute(update(image_texts).where(ours).values(state=state, due_at=now))


def _delete(connection: Connection, image_ids: Collection[int]) -> None:
    for some in in_batches(sorted(image_ids)):
        for table in (image_words, image_texts):
            connection.execute(delete(table).where(table.c.image_id.in_(some)))
