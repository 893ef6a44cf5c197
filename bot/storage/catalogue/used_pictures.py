"""Find stored pictures that an image uses, or that none uses."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from bot.storage.sql.dialect import in_batches
from bot.storage.sql.schema.tables import images


def used_digests(digests: Sequence[str], connection: Connection) -> set[str]:
    """Return those of the digests that an image in any database uses."""
    used: set[str] = set()
    for some in in_batches(digests):
        used.update(connection.execute(select(images.c.digest).where(images.c.digest.in_(some))).scalars())
    return used


def unused_digests(digests: Sequence[str], connection: Connection) -> list[str]:
    """Return those of the digests that no image in any database uses."""
    used = used_digests(digests, connection)
    return [digest for digest in digests if digest not in used]
