"""Advisory locks of PostgreSQL: they serialise transactions of several processes that touch the same thing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, text

# The keys are passed in ascending order, so that two transactions never deadlock on them.
_LOCK = text("SELECT count(pg_advisory_xact_lock(key)) FROM unnest(CAST(:keys AS bigint[])) AS key")


def take_advisory_locks(connection: Connection, kind: str, names: Iterable[str] = ("",)) -> None:
    """Wait for the locks on ``names`` of a ``kind``, and hold them until the transaction ends.

    Later statements see everything that earlier holders committed. With SQLite this does nothing, because only one
    transaction writes at a time.
    """
    if connection.dialect.name == "postgresql":
        keys = sorted({lock_key(kind, name) for name in names})
        connection.execute(_LOCK, {"keys": keys})


def lock_key(kind: str, name: str) -> int:
    """Return the number that stands for a name in PostgreSQL."""
    # Two names that share a key by chance only wait for each other.
    digest = hashlib.blake2b(f"{kind}\n{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
