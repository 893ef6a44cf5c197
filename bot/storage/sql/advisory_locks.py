"""Turns among transactions of several processes, where the database lets more than one write at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, text

# In the order of the keys: two that want the same ones never wait crosswise.
_LOCK = text("SELECT count(pg_advisory_xact_lock(key)) FROM unnest(CAST(:keys AS bigint[])) AS key")


def take_advisory_locks(connection: Connection, about: str, names: Iterable[str] = ("",)) -> None:
    """Pass only while no other transaction is between here and its end for the same names of the same thing.

    Statements after this one see all that the others have committed. SQLite's writers take turns anyway.
    """
    if connection.dialect.name == "postgresql":
        keys = sorted({_key(about, name) for name in names})
        connection.execute(_LOCK, {"keys": keys})


def _key(about: str, name: str) -> int:
    # That two names share a key is unlikely, and costs no more than waiting.
    digest = hashlib.blake2b(f"{about}\n{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
